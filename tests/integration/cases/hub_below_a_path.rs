//! A model hub behind a path, as registries of many kinds of packages have it.

use crate::support::parts::tool;
use crate::support::{Builder, Run, World};
use serde_json::json;

const PATH: &str = "/artifactory/api/huggingfaceml/hf-remote";

#[test]
fn git_and_hf_work_with_a_hub_below_a_path_and_its_neighbours_get_no_token() {
    let world = Builder::default().hub(json!({"path": PATH})).start();
    world.login();
    world.set_up_git();
    let url = world.url("acme/model");
    world.git(".", &["clone", "-q", &url, "model"]).expect(0);
    let commit = ["commit", "-q", "--allow-empty", "-m", "new"];
    world.git("model", &commit).expect(0);
    world.git("model", &["push", "-q"]).expect(0);
    assert_eq!(world.last("grant")["repository"], "acme/model");
    world.oam(&["why", &url, "--write"]).expect(0);

    let file = world.home.join("config.json");
    std::fs::write(&file, "{}\n").unwrap();
    let file = file.display().to_string();
    let upload = ["upload", "acme/model", &file, "config.json"];
    let mut hf = world.oam_command(&["exec", "--", tool("HF")]);
    hf.args(upload).env("HF_HOME", world.home.join("hf"));
    Run::of(&hf.output().unwrap()).expect(0);
    let stored = world.hub.ask("file?path=acme/model&file=config.json");
    assert!(stored["content"].is_string(), "{stored}");

    // Another service of the same host is nobody's.
    let host = world.hub.get("url").replace(PATH, "");
    let host = host.trim_start_matches("http://");
    let mut helper = world.command(oam::program("git-credential-oam"));
    helper.arg("get");
    let ask = format!("protocol=http\nhost={host}\npath=artifactory/api/npm/acme/model\n\n");
    let beside = World::feed(&mut helper, ask.as_bytes());
    assert_eq!((beside.code, beside.stdout.as_str()), (0, ""));
    let neighbour = format!("http://{host}/git/acme/model");
    assert_ne!(world.git(".", &["ls-remote", &neighbour]).code, 0);
    let log = world.hub.log("");
    assert!(log.iter().all(|entry| entry["leaked"].is_null()), "{log:?}");
}
