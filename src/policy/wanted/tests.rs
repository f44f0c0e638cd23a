use super::{ParameterError, read};
use oam_model::granted::Scheme;
use oam_model::issuer::{Backend, IssuerHub};
use oam_model::policy::PolicyRequest;
use oam_model::role::Action;
use oam_model::settings::HubKind;
use proptest::prelude::*;

fn hub(name: &str, url: &str) -> IssuerHub {
    IssuerHub {
        name: name.parse().unwrap(),
        url: url.into(),
        kind: HubKind::HuggingFace,
        scheme: Scheme::Basic,
        username: "oam".into(),
        variables: Vec::new(),
        backend: Backend::Jwt { audience: None },
    }
}

fn hubs() -> Vec<IssuerHub> {
    vec![
        hub("models", "https://hub.example"),
        hub("inner", "https://hub.example/inner"),
        hub("local", "http://127.0.0.1:8080"),
    ]
}

fn ok(audience: Option<&str>, resource: Option<&str>, scope: Option<&str>) -> PolicyRequest {
    read(&hubs(), audience, resource, scope).unwrap()
}

#[test]
fn a_repositorys_url_names_hub_and_repository() {
    let wanted = ok(None, Some("https://HUB.example/acme/model.git"), None);
    assert_eq!(wanted.hub.as_str(), "models");
    assert_eq!(wanted.repository.unwrap().as_str(), "acme/model");
    assert_eq!(wanted.action, Action::Read);
    let inner = ok(None, Some("https://hub.example/inner/acme/model"), None);
    assert_eq!(inner.hub.as_str(), "inner");
}

#[test]
fn an_audience_names_the_hub_and_a_path_the_repository() {
    for audience in ["models", "https://hub.example", "https://hub.example/"] {
        let wanted = ok(Some(audience), Some("datasets/acme/corpus"), Some("write"));
        assert_eq!(wanted.hub.as_str(), "models");
        assert_eq!(wanted.repository.unwrap().as_str(), "datasets/acme/corpus");
        assert_eq!(wanted.action, Action::Write);
    }
    assert_eq!(ok(Some("models"), None, None).repository, None);
    assert_eq!(
        ok(None, Some("https://hub.example/"), None).repository,
        None
    );
}

#[test]
fn a_role_and_an_action_are_read_from_the_scope() {
    let wanted = ok(Some("models"), None, Some("role:model-publisher  manage"));
    assert_eq!(wanted.role.unwrap().as_str(), "model-publisher");
    assert_eq!(wanted.action, Action::Manage);
}

#[test]
fn a_hub_that_is_not_ours_is_refused_and_a_longer_host_is_another_one() {
    for (audience, resource) in [
        (None, None),
        (None, Some("https://hub.example.evil/acme/model")),
        (None, Some("https://hub.example:444/acme/model")),
        (None, Some("http://hub.example/acme/model")),
        (None, Some("https://hub.example@evil/acme/model")),
        (None, Some("acme/model")),
        (Some("other"), Some("acme/model")),
        (Some("models"), Some("https://evil.example/acme/model")),
        (Some("models"), Some("http://127.0.0.1:8080/acme/model")),
        (Some("models"), Some("acme/../model")),
        (Some("models"), Some("acme/model?x=1")),
    ] {
        assert!(
            matches!(
                read(&hubs(), audience, resource, None),
                Err(ParameterError::Target(_))
            ),
            "{audience:?} {resource:?}"
        );
    }
}

#[test]
fn a_scope_with_more_than_one_of_each_or_an_unknown_word_is_refused() {
    for scope in [
        "read write",
        "role:a role:b",
        "admin",
        "role:",
        "role:../x",
        "READ",
    ] {
        assert!(
            matches!(
                read(&hubs(), Some("models"), None, Some(scope)),
                Err(ParameterError::Scope(_))
            ),
            "{scope:?}"
        );
    }
}

proptest! {
    #[test]
    fn no_request_breaks_it(audience in ".{0,40}", resource in ".{0,60}", scope in ".{0,40}") {
        let _ = read(&hubs(), Some(&audience), Some(&resource), Some(&scope));
        let below = format!("https://hub.example{resource}");
        if let Ok(wanted) = read(&hubs(), None, Some(&below), None) {
            prop_assert!(resource.is_empty() || resource.starts_with('/'));
            prop_assert!(["models", "inner"].contains(&wanted.hub.as_str()));
        }
    }
}
