//! `hf` that another program starts, and `hf` commands without a repository.

use crate::support::world::set_mode;
use crate::support::{Run, World};

/// `oam exec -- COMMAND` with programs that only tell what they were asked.
fn exec(world: &World, command: &str) -> Run {
    let bin = world.home.join("stand-ins");
    std::fs::create_dir_all(&bin).unwrap();
    for name in ["hf", "uvx", "uv"] {
        let program = bin.join(name);
        std::fs::write(&program, "#!/bin/sh\necho ran \"$@\"\n").unwrap();
        set_mode(&program, 0o755);
    }
    let mut run = world.oam_command(&["exec", "--"]);
    let usual = "/usr/local/bin:/usr/bin:/bin";
    run.args(command.split(' '))
        .env("PATH", format!("{}:{usual}", bin.display()));
    Run::of(&run.output().unwrap())
}

#[test]
fn the_repository_is_read_through_the_program_that_starts_hf() {
    let world = World::start();
    world.login();
    for command in [
        "hf upload acme/model .",
        "uvx hf upload acme/model .",
        "uv run hf upload acme/model .",
        "env A=1 hf upload acme/model .",
    ] {
        let run = exec(&world, command).expect(0);
        assert!(run.stdout.contains("ran"), "{command}: {}", run.stdout);
        let grant = world.last("grant");
        assert_eq!(grant["repository"], "acme/model", "{command}");
    }
}

#[test]
fn without_a_repository_the_option_is_named() {
    let world = World::start();
    world.login();
    for command in ["hf auth whoami", "uvx hf jobs run x"] {
        let run = exec(&world, command);
        assert_ne!(run.code, 0, "{command}");
        assert!(run.stderr.contains("--repo"), "{command}: {}", run.stderr);
        assert!(
            !run.stderr.contains("setup git"),
            "{command}: {}",
            run.stderr
        );
    }
}
