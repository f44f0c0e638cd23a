//! Repositories with blanks and letters outside ASCII in their names, as Azure DevOps has them, and names that nobody
//! can read in one way.

use crate::support::{Builder, Plan, World};

fn ask(world: &World, path: &str) -> (bool, String) {
    let run = world.helper("get", &format!("path={path}\n"));
    (run.stdout.contains("password="), run.stderr)
}

#[test]
fn a_name_that_a_grant_covers_is_served() {
    let names = [
        "acme/My Project/_git/My Repo",
        "acme/mod\u{e8}le",
        "acme/a@b",
        "acme/a,b",
    ];
    let company = Plan::default()
        .policy(|text| text.replace("repositories = [\"acme/*\"", "repositories = [\"acme/**\""))
        .start();
    company.login("ada");
    for name in names {
        let (served, said) = ask(&company.world, name);
        assert!(served, "{name}: {said}");
        assert_eq!(company.world.last("grant")["repository"], name);
    }
    let granted = company.audited("exchange");
    for name in names {
        assert!(
            granted.iter().any(|entry| entry["repository"] == name),
            "{name}"
        );
    }
}

#[test]
fn a_name_that_is_not_read_in_one_way_is_a_bad_request_and_shown_escaped() {
    let world = World::start();
    world.login();
    for name in [
        "acme/m\u{202e}ledom",
        "acme/mo\u{200b}del",
        "acme/m\u{1b}[31m",
    ] {
        let run = world.oam(&["why", name]);
        assert_ne!(run.code, 0, "{name:?}");
        let shown = run.stdout + &run.stderr;
        assert!(shown.contains("\\u{"), "{shown}");
        assert!(!shown.contains(name), "{shown}");
        let (served, said) = ask(&world, name);
        assert!(!served, "{name:?}: {said}");
        assert!(!said.contains("try again"), "{said}");
    }
    assert_eq!(world.idp.count("exchange"), 0);
}

#[test]
fn what_an_exchange_cannot_say_is_refused_before_it() {
    let world = Builder::default()
        .config(|text| {
            text.replace(
                "scope = \"role:{role} {action}\"",
                "scope = \"role:{role} {action} {repository}\"",
            )
        })
        .start();
    world.login();
    let (served, said) = ask(&world, "acme/a,b");
    assert!(!served);
    assert!(said.contains("can't be asked for"), "{said}");
    assert!(!said.contains("could not be reached"), "{said}");
    assert!(!said.contains("try again"), "{said}");
    assert_eq!(world.idp.count("exchange"), 0);
}
