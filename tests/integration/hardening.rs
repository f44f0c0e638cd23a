//! What others find out about the running agent: nothing (R16, R18, R23).

use crate::support::World;
use crate::support::world::set_mode;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::process::{Command, Stdio};

const OTHER: u32 = 65534;

fn of(pid: u32, what: &str) -> String {
    let bytes = std::fs::read(format!("/proc/{pid}/{what}")).unwrap();
    String::from_utf8_lossy(&bytes).replace('\0', "\n")
}

/// As the agent's own user, who is not root.
fn as_user(program: &str, args: &[&str]) -> Command {
    let id = OTHER.to_string();
    let mut command = Command::new("setpriv");
    command
        .args([
            "--reuid",
            &id,
            "--regid",
            &id,
            "--clear-groups",
            "--",
            program,
        ])
        .args(args)
        .current_dir("/");
    command
}

#[test]
fn the_same_user_reads_neither_memory_nor_environment_of_the_agent_as_root() {
    let world = World::start();
    set_mode(world.home.parent().unwrap(), 0o755);
    let program = world.home.join("oam-agent");
    std::fs::copy(oam::program("oam-agent"), &program).unwrap();
    set_mode(&program, 0o755);
    for path in [&world.home, &world.runtime] {
        chown(path, Some(OTHER), Some(OTHER)).unwrap();
    }
    let start = |program: &str, args: &[&str]| {
        as_user(program, args)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", &world.home)
            // Not below what root made in this home.
            .env("XDG_STATE_HOME", world.home.join("state"))
            .env("XDG_RUNTIME_DIR", &world.runtime)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let mut agent = start(program.to_str().unwrap(), &["--foreground"]);
    let mut line = String::new();
    BufReader::new(agent.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line.trim(), "ready");
    // What the same person can read of a program that does not protect itself.
    let mut plain = start("cat", &[]);
    plain.stdin.as_mut().unwrap().write_all(b"runs\n").unwrap();
    line.clear();
    BufReader::new(plain.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line.trim(), "runs", "before that it is still setpriv");
    for what in ["environ", "maps", "auxv"] {
        let read = |pid: u32| {
            let path = format!("/proc/{pid}/{what}");
            as_user("head", &["-c1", &path])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .unwrap()
                .success()
        };
        assert!(read(plain.id()), "{what} of a plain program");
        assert!(!read(agent.id()), "{what} of the agent");
    }
    let status = std::fs::metadata(format!("/proc/{}/mem", agent.id())).unwrap();
    assert_eq!(status.uid(), 0, "memory belongs to root, not to the person");
    let traced = as_user("strace", &["-p", &agent.id().to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(!traced.success(), "the same user can't attach");
    for child in [&mut agent, &mut plain] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[test]
fn no_core_file_no_secret_in_environment_or_arguments_and_files_for_the_person_alone() {
    let world = World::start();
    let starter = world
        .oam_command(&["login", "acme"])
        .env("HF_TOKEN", "hf_inherited")
        .env("GITHUB_TOKEN", "gh_inherited")
        .env("MY_SECRET", "my_inherited")
        .output()
        .unwrap();
    assert!(starter.status.success());
    let token = world.token().unwrap();
    let pid = u32::try_from(world.agents()[0]).unwrap();
    let limits = of(pid, "limits");
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let core: Vec<&str> = core.unwrap().split_whitespace().collect();
    assert_eq!(core[4..6], ["0", "0"]);
    for what in ["environ", "cmdline"] {
        let text = of(pid, what);
        assert!(!text.contains("inherited"), "{text}");
        assert!(!text.contains(&token), "{text}");
    }
    let state = world.home.join(".local/state/oam");
    let mut folders = vec![state, world.runtime.join("oam")];
    while let Some(folder) = folders.pop() {
        let mode = |path: &std::path::Path| path.symlink_metadata().unwrap().permissions().mode();
        assert_eq!(mode(&folder) & 0o777, 0o700, "{}", folder.display());
        for entry in std::fs::read_dir(&folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            assert_eq!(mode(&path) & 0o777, 0o600, "{}", path.display());
            let bytes = std::fs::read(&path).unwrap_or_default();
            let found = bytes
                .windows(token.len())
                .any(|part| part == token.as_bytes());
            assert!(!found, "a token in {}", path.display());
        }
    }
}
