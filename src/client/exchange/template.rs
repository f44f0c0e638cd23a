//! The `audience`, `resource` and `scope` of an exchange, from their templates.

use oam_agent::ports::TokenKey;
use oam_config::agent::Rfc8693;
use oam_model::name::Repository;

/// The parameters filled in; one whose template names something the order has not is left out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parameters {
    pub(super) audience: Option<String>,
    pub(super) resource: Option<String>,
    pub(super) scope: Option<String>,
}

impl Parameters {
    /// Fills the templates.
    ///
    /// # Errors
    /// Our own words, for a template or a repository's name that can't be sent.
    pub(super) fn fill(endpoint: &Rfc8693, order: &TokenKey) -> Result<Self, String> {
        let filled = |template: &Option<String>, path: Path| match template {
            Some(template) => fill(template, order, path),
            None => Ok(None),
        };
        Ok(Self {
            audience: filled(&endpoint.audience, plain)?,
            // RFC 8693 §2.1: it is a URI, and escapes of one are undone alike everywhere.
            resource: filled(&endpoint.resource, |repository| Ok(repository.encoded()))?,
            scope: filled(&endpoint.scope, plain)?,
        })
    }

    /// Appends those that are there.
    pub(super) fn append_to<'a>(&'a self, pairs: &mut Vec<(&'a str, &'a str)>) {
        for (name, value) in [
            ("audience", &self.audience),
            ("resource", &self.resource),
            ("scope", &self.scope),
        ] {
            if let Some(value) = value {
                pairs.push((name, value));
            }
        }
    }
}

/// How a repository stands in a parameter.
type Path = fn(&Repository) -> Result<String, String>;

fn fill(template: &str, order: &TokenKey, path: Path) -> Result<Option<String>, String> {
    let mut out = String::with_capacity(template.len() + 64);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else {
            return Err("a template of the exchange has a `{` without its `}`".to_owned());
        };
        out.push_str(before);
        match name {
            "hub" => out.push_str(&order.hub_url),
            "role" => out.push_str(order.role.as_str()),
            "action" => out.push_str(order.action.word()),
            "repository" => match &order.repository {
                Some(repository) => out.push_str(&path(repository)?),
                None => return Ok(None),
            },
            _ => {
                return Err("a template of the exchange holds an unknown name in `{}`".to_owned());
            }
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(Some(out))
}

/// A repository's name as it may stand in a parameter that is no URI. It comes from a remote's address, so from
/// anybody: a space in it would be a second scope, a colon or comma a second field. Rejected
/// alternative: to escape them, because no two endpoints would undo it alike.
fn plain(repository: &Repository) -> Result<String, String> {
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~' | '+' | '/');
    let text = repository.as_str();
    if text.chars().all(plain) {
        Ok(text.to_owned())
    } else {
        Err(
            "a repository's name with other characters than letters, digits and `-_.~+/` can't stand in \
             `audience` or `scope` of its exchange"
                .to_owned(),
        )
    }
}

/// Whether nothing that was sent ties the token to the repository or to the action asked for.
pub(super) fn wider_than_asked(endpoint: &Rfc8693, order: &TokenKey) -> bool {
    let templates = [&endpoint.audience, &endpoint.resource, &endpoint.scope];
    let told = |name: &str| {
        templates
            .iter()
            .any(|t| t.as_ref().is_some_and(|t| t.contains(name)))
    };
    let repository = order.repository.is_none() || told("{repository}");
    let action = told("{action}") || told("{role}");
    !(repository && action)
}

#[cfg(test)]
mod tests {
    use super::{Parameters, fill, plain, wider_than_asked};
    use oam_agent::ports::TokenKey;
    use oam_config::agent::{Body, Rfc8693, SubjectToken};
    use oam_model::role::Action;

    fn order(repository: Option<&str>) -> TokenKey {
        TokenKey {
            hub_url: "https://hub.example".into(),
            role: "publisher".parse().unwrap(),
            repository: repository.map(|r| r.parse().unwrap()),
            action: Action::Write,
            lifetime_s: 600,
        }
    }

    fn endpoint(resource: Option<&str>, scope: Option<&str>) -> Rfc8693 {
        Rfc8693 {
            token_endpoint: "https://t.example/".into(),
            body: Body::Form,
            subject: SubjectToken::IdToken,
            client_id: None,
            audience: None,
            resource: resource.map(Into::into),
            scope: scope.map(Into::into),
            revocation_endpoint: None,
        }
    }

    #[test]
    fn a_template_is_filled_or_left_out() {
        let whole = order(None);
        let one = order(Some("acme/model"));
        for (template, order, expected) in [
            (
                "{hub}/{repository}",
                &one,
                Some("https://hub.example/acme/model"),
            ),
            ("{hub}/{repository}", &whole, None),
            ("{role}:{action}", &whole, Some("publisher:write")),
            ("fixed", &whole, Some("fixed")),
            ("", &whole, Some("")),
        ] {
            assert_eq!(
                fill(template, order, plain).unwrap().as_deref(),
                expected,
                "{template}"
            );
        }
        assert!(fill("{host}", &one, plain).is_err());
        assert!(fill("x{role", &one, plain).is_err());
    }

    #[test]
    fn a_repository_cannot_bring_a_second_scope_or_field() {
        for name in [
            "acme/x repo:acme/y:write",
            "acme/x:write",
            "acme/x,y",
            "acme/{role}",
            "acme/ü",
        ] {
            assert!(
                fill("repo:{repository}:{action}", &order(Some(name)), plain).is_err(),
                "{name}"
            );
            let whole = endpoint(Some("{hub}/{repository}"), Some("{role}"));
            let sent = Parameters::fill(&whole, &order(Some(name))).unwrap();
            let resource = sent.resource.unwrap();
            assert!(!resource.contains([' ', ',', '{']) && resource.is_ascii());
        }
    }

    #[test]
    fn a_token_that_nothing_ties_is_wider_than_asked() {
        let one = order(Some("acme/model"));
        for (resource, scope, order, wider) in [
            (Some("{hub}/{repository}"), Some("{action}"), &one, false),
            (Some("{repository}"), Some("role:{role}"), &one, false),
            (None, Some("{action}"), &one, true),
            (Some("{repository}"), None, &one, true),
            (None, Some("{action}"), &order(None), false),
            (Some("{hub}"), None, &order(None), true),
        ] {
            assert_eq!(
                wider_than_asked(&endpoint(resource, scope), order),
                wider,
                "{resource:?} {scope:?}"
            );
        }
    }
}
