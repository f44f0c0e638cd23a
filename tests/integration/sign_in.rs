//! Signing in.

use crate::support::World;

#[test]
fn sign_in_by_code() {
    let world = World::start();
    let run = world.oam(&["login", "acme"]).expect(0);
    assert!(
        run.stdout.contains("ada") || run.stderr.contains("ada"),
        "{}{}",
        run.stdout,
        run.stderr
    );
    let status = world.status();
    assert_eq!(status["standing"], "active");
    assert_eq!(status["subject"], "ada");
}
