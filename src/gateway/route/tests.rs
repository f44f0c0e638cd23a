//! Requests as clients of hubs send them.

use super::{Changes, NoRoute, RequestRoute, changes, classify};
use crate::source::HubOperation::{self, Read, Write};
use crate::source::Target;
use http::Method;
use proptest::prelude::*;

fn of(line: &str) -> Result<RequestRoute, NoRoute> {
    let (method, address) = line.split_once(' ').unwrap();
    let (path, query) = address
        .split_once('?')
        .map_or((address, None), |(path, query)| (path, Some(query)));
    classify(&method.parse().unwrap(), path, query)
}

#[expect(clippy::unnecessary_wraps, reason = "compared with answers")]
fn target(repository: Option<&str>, operation: HubOperation) -> Result<RequestRoute, NoRoute> {
    let repository = repository.map(|name| name.parse().unwrap());
    Ok(RequestRoute::Settled(Target {
        repository,
        operation,
    }))
}

#[test]
fn git_and_lfs() {
    let rows = [
        (
            "GET /acme/model.git/info/refs?service=git-upload-pack",
            Read,
        ),
        ("GET /acme/model/info/refs?service=git-receive-pack", Write),
        ("GET /acme/model/info/refs", Read),
        ("POST /acme/model.git/git-upload-pack", Read),
        ("POST /acme/model.git/git-receive-pack", Write),
        ("GET /acme/model.git/info/lfs/locks", Read),
        ("POST /acme/model.git/info/lfs/locks/verify", Write),
        ("POST /acme/model.git/info/lfs/locks", Write),
    ];
    for (line, operation) in rows {
        assert_eq!(of(line), target(Some("acme/model"), operation), "{line}");
    }
    let batch = Ok(RequestRoute::LfsBatch("acme/model".parse().unwrap()));
    assert_eq!(of("POST /acme/model.git/info/lfs/objects/batch"), batch);
    assert_eq!(
        of("POST /acme/model.git/info/refs?service=git-upload-pack"),
        Err(NoRoute::Unknown)
    );
    for query in [
        "service=git-upload-pack&service=git-receive-pack",
        "service=x",
        "service=git%2dreceive-pack",
    ] {
        assert_eq!(
            of(&format!("GET /a/b/info/refs?{query}")),
            Err(NoRoute::Unknown),
            "{query}"
        );
    }
    assert_eq!(of("POST /git-receive-pack"), Err(NoRoute::Repository));
    assert_eq!(
        of("POST /a/b.git.git/git-receive-pack"),
        Err(NoRoute::Repository)
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn the_hubs_api_and_its_files() {
    let rows = [
        (
            "GET /api/models/acme/model/xet-read-token/main",
            Some("acme/model"),
            Read,
        ),
        (
            "GET /api/models/acme/model/xet-write-token/main?create_pr=1",
            Some("acme/model"),
            Write,
        ),
        (
            "GET /api/datasets/acme/c/xet-write-token/None",
            Some("datasets/acme/c"),
            Write,
        ),
        (
            "POST /api/models/acme/model/preupload/main",
            Some("acme/model"),
            Write,
        ),
        (
            "POST /api/spaces/acme/s/commit/refs%2Fpr%2F1",
            Some("spaces/acme/s"),
            Write,
        ),
        (
            "POST /api/models/acme/model/paths-info/main",
            Some("acme/model"),
            Read,
        ),
        ("GET /api/models/acme/model", Some("acme/model"), Read),
        ("GET /api/models/gpt2/revision/main", Some("gpt2"), Read),
        (
            "GET /api/models/acme/tree/tree/main",
            Some("acme/tree"),
            Read,
        ),
        ("GET /api/models", None, Read),
        ("GET /api/whoami-v2", None, Read),
        ("POST /api/validate-yaml", None, Read),
        (
            "HEAD /acme/model/resolve/main/a/b.bin",
            Some("acme/model"),
            Read,
        ),
        (
            "GET /datasets/acme/c/resolve/refs%2Fpr%2F1/x",
            Some("datasets/acme/c"),
            Read,
        ),
        (
            "GET /api/resolve-cache/models/acme/model/abc/x",
            Some("acme/model"),
            Read,
        ),
        ("GET /gpt2/resolve/main/x", Some("gpt2"), Read),
        ("GET /robots.txt", None, Read),
    ];
    for (line, repository, operation) in rows {
        assert_eq!(of(line), target(repository, operation), "{line}");
    }
}

#[test]
fn what_a_role_may_not_do_and_what_nobody_knows_is_refused() {
    assert_eq!(of("POST /api/repos/create"), Ok(RequestRoute::Create));
    for line in [
        "DELETE /api/repos/delete",
        "POST /api/repos/move",
        "PUT /api/models/acme/model/settings",
    ] {
        assert_eq!(of(line), Err(NoRoute::Manage), "{line}");
    }
    for line in [
        "POST /x",
        "PUT /acme/model/resolve/main/x",
        "POST /api/models/acme/model/xyz",
        "DELETE /api/whoami-v2",
        "PATCH /a/b",
    ] {
        assert_eq!(of(line), Err(NoRoute::Unknown), "{line}");
    }
}

#[test]
fn the_ref_of_a_commit_stands_in_its_path_and_that_of_a_push_in_its_body() {
    let rows = [
        (
            "/api/models/acme/model/commit/main",
            Changes::Ref("main".into()),
        ),
        (
            "/api/spaces/acme/s/commit/refs%2Fpr%2F1",
            Changes::Ref("refs/pr/1".into()),
        ),
        ("/acme/model.git/git-receive-pack", Changes::Push),
        ("/acme/model.git/git-upload-pack", Changes::Untold),
        ("/api/models/acme/model/preupload/main", Changes::Untold),
        ("/api/models/acme/commit", Changes::Untold),
    ];
    for (path, expected) in rows {
        assert_eq!(changes(&Method::POST, path), expected, "{path}");
    }
    assert_eq!(
        changes(&Method::GET, "/a/b/git-receive-pack"),
        Changes::Untold
    );
}

proptest! {
    #[test]
    fn only_a_named_repository_is_written_to(
        method in prop_oneof![Just(Method::GET), Just(Method::POST), Just(Method::PUT), Just(Method::DELETE), Just(Method::PATCH)],
        path in "(/(api|models|datasets|acme|m\\.git|info|lfs|refs|objects|git-receive-pack|commit|resolve|xet-write-token|main)){0,7}/?",
        query in proptest::option::of("(service=git-receive-pack|service=git-upload-pack|&|x=1){0,3}"),
    ) {
        match classify(&method, &path, query.as_deref()) {
            Ok(RequestRoute::Settled(target)) if target.operation == Write => prop_assert!(target.repository.is_some()),
            Ok(RequestRoute::Settled(_)) => prop_assert!(
                matches!(method, Method::GET | Method::HEAD) || path.contains("upload-pack") || path.contains("paths-info")
                    || path.contains("validate-yaml")
            ),
            _ => {}
        }
    }
}
