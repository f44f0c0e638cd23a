//! A credential helper of the repository itself stands after ours: git gives it every token.

use crate::support::{Run, World};

#[test]
fn doctor_names_a_helper_that_would_write_tokens_down() {
    let world = World::signed_in();
    let url = world.url("acme/model");
    world.git(".", &["clone", "-q", &url, "model"]).expect(0);
    let doctor = || {
        let mut doctor = world.oam_command(&["doctor"]);
        doctor.current_dir(world.home.join("model"));
        Run::of(&doctor.output().unwrap())
    };
    assert!(!doctor().stdout.contains("stands after OAM's"));
    let add = ["config", "--local", "credential.helper", "store"];
    world.git("model", &add).expect(0);
    let told = doctor();
    assert_ne!(told.code, 0);
    for part in [
        "`store`",
        ".git/config",
        "git config --unset-all credential.helper",
    ] {
        assert!(told.stdout.contains(part), "{part}: {}", told.stdout);
    }
}
