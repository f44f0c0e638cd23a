//! Nothing to steal: whatever of a command behind a gateway is looked at holds no token of the hub.

use crate::support::parts::tool;
use crate::support::{Run, World};
use serde_json::json;
use std::process::{Command, Stdio};

/// Looks through its own memory for what has the form of a role's token, and for the capability.
const MEMORY: &str = r#"
import os, re
from huggingface_hub import HfApi, hf_hub_download
hf_hub_download("acme/model", "README.md", token=os.environ["HF_TOKEN"])
HfApi().whoami()
token = re.compile(rb"eyJ[A-Za-z0-9_-]{16,}[.]eyJ[A-Za-z0-9_-]{16,}")
capability = os.environ["HF_TOKEN"].encode()
seen = {"token": 0, "capability": 0}
with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
    for line in maps:
        span, mode, *_ = line.split()
        if not mode.startswith("r") or "[v" in line:
            continue
        first, last = (int(part, 16) for part in span.split("-"))
        memory.seek(first)
        content = memory.read(last - first)
        seen["token"] += len(token.findall(content))
        seen["capability"] += content.count(capability)
        del content
print(seen["token"], seen["capability"] > 0, flush=True)
"#;

/// What `/proc` tells of a process and all that descend from it: arguments, then variables.
fn processes(root: u32) -> Vec<[String; 2]> {
    let read = |pid: u32, name: &str| {
        let text = std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
        String::from_utf8_lossy(&text).replace('\0', " ")
    };
    let folders = std::fs::read_dir("/proc").unwrap();
    let names = folders.filter_map(|folder| folder.unwrap().file_name().into_string().ok());
    let all: Vec<u32> = names.filter_map(|name| name.parse().ok()).collect();
    let parent = |pid: u32| -> Option<u32> {
        let stat = read(pid, "stat");
        let (_, after) = stat.rsplit_once(") ")?;
        after.split(' ').nth(1)?.parse().ok()
    };
    let mut tree = vec![root];
    let mut at = 0;
    while let Some(pid) = tree.get(at).copied() {
        tree.extend(all.iter().filter(|child| parent(**child) == Some(pid)));
        at += 1;
    }
    let told = |pid: u32| ["cmdline", "environ"].map(|name| read(pid, name));
    tree.into_iter().map(told).collect()
}

/// No argument of the command's processes is a credential: every user of the machine sees those.
fn arguments_hold_none(root: u32) {
    let processes = processes(root);
    let started = |name: &str| processes.iter().any(|told| told[0].contains(name));
    assert!(started("git-remote-http"), "git's own child");
    let mut clients = processes.iter().map(|[_, variables]| variables);
    let variables = clients.find(|variables| variables.contains(" HF_TOKEN="));
    let variables = variables.expect("a client");
    let capability = variables.split(" HF_TOKEN=").nth(1).unwrap();
    let capability = capability.split(' ').next().unwrap();
    assert_eq!(capability.len(), 64, "it is what the client has");
    for [arguments, variables] in &processes {
        assert!(
            !arguments.contains("eyJ") && !arguments.contains(capability),
            "{arguments}"
        );
        assert!(!variables.contains("eyJ"), "{variables}");
    }
}

#[test]
fn a_clients_memory_files_variables_and_arguments_hold_no_token_of_the_hub() {
    let world = World::signed_in();
    std::fs::write(world.home.join("memory.py"), MEMORY).unwrap();
    for path in ["/resolve/", "git-upload-pack"] {
        let hold = json!({"path": path, "at": "authorized", "count": 1});
        world.hub.control("hold", &hold);
    }
    let script = format!(
        "git clone -q {} model & {} memory.py; wait $!; env; git config --list",
        world.url("acme/model"),
        tool("PYTHON")
    );
    let mut command =
        world.oam_command(&["exec", "--repo", "acme/model", "--", "sh", "-ec", &script]);
    let child = command
        .env("HF_HOME", world.home.join("hf"))
        .env("HF_HUB_DISABLE_UPDATE_CHECK", "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    world.hub.ask("wait?held=2&deadline_ms=30000");
    arguments_hold_none(child.id());
    world.hub.control("release", &json!({}));
    let run = Run::of(&child.wait_with_output().unwrap()).expect(0);
    assert!(run.stdout.starts_with("0 True\n"), "{}", run.stdout);
    assert!(!run.stdout.contains("eyJ"), "{}", run.stdout);
    let log = world.hub.ask("log?kind=hf");
    let mut log = log["log"].as_array().unwrap().iter();
    assert!(
        log.any(|entry| entry["token"].is_string()),
        "tokens were used"
    );
    let files = Command::new("grep")
        .args(["-rlE", "eyJ[A-Za-z0-9_-]{16,}[.]eyJ"])
        .args([world.home.join("hf"), world.runtime.clone()])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&files.stdout), "");
}
