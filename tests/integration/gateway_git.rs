//! Whose `insteadOf` counts: where git itself says that an address leads, and that what goes past the gateway is told.

use crate::support::{Run, World};

/// The settings of a clone, but for the mark that git-lfs leaves in each repository, with or without a gateway.
pub fn settings(world: &World, clone: &str) -> String {
    let text = std::fs::read_to_string(world.home.join(clone).join(".git/config")).unwrap();
    let lines = text.lines().filter(|line| {
        !line.trim().eq_ignore_ascii_case("[lfs]") && !line.contains("repositoryformatversion")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What of a remote passes the gateway, and whether somebody was warned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Told {
    fetch: bool,
    push: bool,
    warned: bool,
}

const THROUGH: Told = Told {
    fetch: true,
    push: true,
    warned: false,
};
const PAST: Told = Told {
    fetch: false,
    push: false,
    warned: true,
};

/// By git's own word, in a repository with this remote and this setting of the person's.
fn told(world: &World, remote: &str, setting: Option<(&str, &str)>) -> Told {
    let repository = tempfile::tempdir_in(&world.home).unwrap();
    let name = repository.path().file_name().unwrap().to_str().unwrap();
    world.git(name, &["init", "-q"]).expect(0);
    world
        .git(name, &["remote", "add", "origin", remote])
        .expect(0);
    if let Some((key, value)) = setting {
        world.git(name, &["config", key, value]).expect(0);
    }
    let script = "echo $HF_ENDPOINT; git remote get-url origin; git remote get-url --push origin";
    let mut exec = world.oam_command(&["exec", "--", "sh", "-ec", script]);
    let output = exec.current_dir(repository.path()).output();
    let run = Run::of(&output.expect("oam exec")).expect(0);
    let lines: Vec<&str> = run.stdout.lines().collect();
    let [gateway, fetch, push] = lines[..] else {
        panic!("{lines:?}")
    };
    Told {
        fetch: fetch.starts_with(gateway),
        push: push.starts_with(gateway),
        warned: run.stderr.contains("lead git past the gateway"),
    }
}

#[test]
fn what_of_a_persons_own_leads_git_past_the_gateway_is_told_and_all_else_passes_it() {
    let world = World::signed_in();
    let hub = world.hub.get("url");
    let (root, ours) = (format!("{hub}/"), format!("{hub}/acme/"));
    let model = format!("{ours}model");
    let short = format!("url.{ours}.insteadOf");
    let named = model.replace("://", "://ada@");
    let ssh = "url.git@127.0.0.1:.insteadOf";
    let push = "url.git@127.0.0.1:.pushInsteadOf";
    // Of another host: the hub's own as the outcome of a rule is told in any case.
    let elsewhere = "url.git@other.example:.insteadOf";
    let push_elsewhere = "url.git@other.example:.pushInsteadOf";
    let pushed_past = Told {
        fetch: true,
        ..PAST
    };
    // The gateway's own pushInsteadOf goes before any insteadOf.
    let fetched_past = Told { push: true, ..PAST };
    for (remote, setting, expected) in [
        (model.as_str(), None, THROUGH),
        (&model, Some((ssh, root.as_str())), fetched_past),
        (&model, Some((ssh, &ours)), fetched_past),
        (&model, Some((elsewhere, "http://")), THROUGH),
        (&model, Some((push, &root)), pushed_past),
        (&model, Some((push_elsewhere, "http://")), THROUGH),
        ("work:model", Some((&short, "work:")), PAST),
        (&named, None, PAST),
        ("git@127.0.0.1:acme/model", None, PAST),
        ("ssh://git@127.0.0.1:22/acme/model", None, PAST),
    ] {
        assert_eq!(
            told(&world, remote, setting),
            expected,
            "{remote} {setting:?}"
        );
    }
}
