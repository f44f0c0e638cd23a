//! Python programs behind a gateway: what they start inherits it, and what the hub hands out for its store is told.

use crate::support::parts::tool;
use crate::support::{Run, World};
use serde_json::Value;

/// `oam exec OPTIONS -- python PROGRAM`.
fn python(world: &World, options: &[&str], program: &str) -> Run {
    std::fs::write(world.home.join("program.py"), program).unwrap();
    let mut args = vec!["exec"];
    args.extend(options);
    args.extend(["--", tool("PYTHON"), "program.py"]);
    let mut command = world.oam_command(&args);
    command
        .env("HF_HOME", world.home.join("hf"))
        .env_remove("HF_HUB_DISABLE_XET");
    Run::of(&command.output().expect("oam exec"))
}

fn log(world: &World, query: &str) -> Vec<Value> {
    let log = world.hub.ask(&format!("log?{query}"));
    log["log"].as_array().expect("a log").clone()
}

/// Asks the hub for what its store's client needs, as an upload and a download do.
const XET: &str = r#"
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import build_hf_headers
from huggingface_hub.utils import _xet

for kind in (_xet.XetTokenType.READ, _xet.XetTokenType.WRITE):
    route = _xet.xet_connection_info_refresh_url(token_type=kind, repo_id="acme/model", repo_type="model", revision="main")
    file = _xet.XetFileData(file_hash="0" * 64, refresh_route=route)
    try:
        info = _xet.refresh_xet_connection_info(file_data=file, headers=build_hf_headers())
    except HfHubHTTPError as error:
        print(kind.value, error.response.status_code)
    else:
        print(kind.value, info.endpoint, info.access_token, info.expiration_unix_epoch)
"#;

#[test]
fn what_the_hub_hands_out_for_its_store_is_asked_for_by_role_and_told_with_its_end() {
    let world = World::signed_in();
    let run = python(&world, &["--repo", "acme/model", "--write"], XET).expect(0);
    let lines: Vec<Vec<&str>> = run
        .stdout
        .lines()
        .map(|line| line.split(' ').collect())
        .collect();
    assert_eq!(lines.len(), 2, "{}", run.stdout);
    let mut ends = Vec::new();
    for (line, (kind, role)) in lines
        .iter()
        .zip([("read", "model-reader"), ("write", "model-publisher")])
    {
        let [said, store, token, end] = line[..] else {
            panic!("{line:?}")
        };
        assert_eq!((said, store), (kind, world.hub.get("store")));
        assert!(token.starts_with("xet_"), "no token of the hub: {token}");
        ends.push(end.parse::<u64>().unwrap());
        let asked = log(&world, &format!("path=xet-{kind}-token/main"));
        assert_eq!(asked.len(), 1, "{asked:?}");
        assert_eq!(
            (&asked[0]["status"], &asked[0]["role"]),
            (&200.into(), &role.into())
        );
    }
    let served = &world.last("served")["served"];
    assert_eq!(served["handed_out"], 2, "{served}");
    assert_eq!(served["outstanding_until"].as_u64(), ends.into_iter().max());
    // A command that is to read gets nothing that writes.
    let run = python(&world, &["--repo", "acme/model"], XET).expect(0);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert!(lines[0].starts_with("read http"), "{}", run.stdout);
    assert_eq!(lines[1], "write 403");
}

/// As an inference server does: the model is loaded by an engine of its own, and by a tool that is another program.
const ENGINE: &str = r#"
import multiprocessing, subprocess, sys
from huggingface_hub import snapshot_download

TOOL = "from huggingface_hub import hf_hub_download; hf_hub_download('acme/model', 'README.md', local_dir='tool')"

def load():
    snapshot_download("acme/model", local_dir="engine")

if __name__ == "__main__":
    engine = multiprocessing.get_context("spawn").Process(target=load)
    engine.start()
    engine.join()
    subprocess.run([sys.executable, "-c", TOOL], check=True)
    sys.exit(engine.exitcode)
"#;

#[test]
fn a_process_that_a_program_starts_to_load_a_model_inherits_the_gateway() {
    let world = World::signed_in();
    python(&world, &[], ENGINE).expect(0);
    for folder in ["engine", "tool"] {
        let file = world.home.join(folder).join("README.md");
        assert_eq!(std::fs::read_to_string(file).unwrap(), "# acme/model\n");
    }
    let seen = log(&world, "kind=hf");
    assert!(!seen.is_empty());
    for entry in seen {
        assert_eq!(entry["role"], "model-reader", "{entry}");
        assert_ne!(entry["leaked"], true, "{entry}");
    }
    let mut grants = world.records();
    grants.retain(|record| record["what"] == "grant");
    assert!(grants.iter().all(|record| record["front"] == "gateway"));
}
