//! A header that a checkout step left in a clone: it goes out besides our token, and the hub refuses both.

use crate::support::{Run, World};

#[test]
fn a_left_over_header_is_named_and_its_value_is_not_shown() {
    let world = World::signed_in();
    let url = world.url("acme/model");
    world.git(".", &["clone", "-q", &url, "model"]).expect(0);
    let key = format!("http.{}/.extraheader", world.hub.get("url"));
    let header = "AUTHORIZATION: basic eDp5";
    world
        .git("model", &["config", "--local", &key, header])
        .expect(0);
    let mut doctor = world.oam_command(&["doctor"]);
    doctor.current_dir(world.home.join("model"));
    let told = Run::of(&doctor.output().unwrap());
    assert_ne!(told.code, 0);
    assert!(told.stdout.contains(&key), "{}", told.stdout);
    assert!(!told.stdout.contains("eDp5"), "{}", told.stdout);
    for _ in 0..2 {
        world.git("model", &["ls-remote"]);
    }
    let third = world.git("model", &["ls-remote"]);
    assert_eq!(third.code, 128);
    assert!(third.stderr.contains("oam doctor"), "{}", third.stderr);
}
