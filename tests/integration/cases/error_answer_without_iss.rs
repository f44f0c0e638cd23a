//! A provider that promises `iss` in every answer (RFC 9207), and leaves it out of those that are errors.

use crate::support::World;
use serde_json::json;

#[test]
fn error_answer_without_iss() {
    let world = World::start();
    let missing = json!({"field": "missing-iss"});
    world.idp.control("tamper-redirect", &missing);
    let mut login = world.oam_command(&["login", "acme"]);
    login.env("OAM_TEST_DENY", "1");
    // Still refused as an answer that nobody vouches for, with the code that stands in it.
    let run = World::feed(&mut login, b"").expect(1);
    for said in [
        "the check of `iss` failed",
        "unconfirmed",
        "`access_denied`",
    ] {
        assert!(run.stderr.contains(said), "{said}: {}", run.stderr);
    }
    assert!(
        run.stderr.contains("whether you may use this application"),
        "{}",
        run.stderr
    );
    assert_eq!(world.status()["standing"], "signed-out");
}
