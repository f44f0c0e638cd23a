//! `/v1/roles` and `/v1/why`: what the bearer may do, and why.

use super::answer;
use super::bearer;
use super::body::Form;
use crate::grant::RequestOrigin;
use crate::refused::{OAuthError, Refused};
use crate::state::{Issuer, LiveConfig};
use axum::extract::{Extension, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use oam_model::organization::{EffectiveRoles, GroupSource, VERSION, WhyAnswer};
use oam_model::policy::PolicyRequest;
use oam_model::principal::{Groups, Principal};
use oam_model::refusal::Refusal;
use oam_model::role::Action;
use oam_policy::evidence::GroupOrigin;
use oam_policy::policy;
use oam_store::PersonRow;
use std::sync::Arc;

/// What the bearer may do.
pub async fn roles(
    State(issuer): State<Arc<Issuer>>,
    Extension(origin): Extension<RequestOrigin>,
    headers: HeaderMap,
) -> Response {
    let live_config = issuer.live_config();
    match bearer::admitted(&issuer, &live_config, &headers, &origin).await {
        Err(refused) => answer::refused(&refused, &origin.request_id),
        Ok(admitted) => {
            let principal = &admitted.principal;
            let roles = policy::holdings(&live_config.policy, principal);
            if let (true, Groups::Unknown { sentence, next }) =
                (roles.is_empty(), &principal.groups)
            {
                // "No roles" would be a lie: nobody knows.
                let refusal = Refusal::denied(sentence.clone(), next.clone());
                let refused = Refused::new(OAuthError::AccessDenied, refusal);
                let refused = bearer::refuse(&issuer, &origin, Some(principal), refused).await;
                return answer::refused(&refused, &origin.request_id);
            }
            answer::json(
                200,
                &EffectiveRoles {
                    v: VERSION,
                    subject: principal.key.to_string(),
                    roles,
                    setup: Some(live_config.setup.clone()),
                },
            )
        }
    }
}

/// The decision on one question, or what is missing.
pub async fn why(
    State(issuer): State<Arc<Issuer>>,
    Extension(origin): Extension<RequestOrigin>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let live_config = issuer.live_config();
    let answered = async {
        let admitted = bearer::admitted(&issuer, &live_config, &headers, &origin).await?;
        let wanted = wanted(&live_config, query.as_deref().unwrap_or_default())?;
        let decided = policy::decide(&live_config.policy, &admitted.principal, &wanted);
        let (decision, refusal) = match decided {
            Ok(decision) => (Some(decision), None),
            Err(refusal) => (None, Some(refusal)),
        };
        Ok(WhyAnswer {
            v: VERSION,
            hub: wanted.hub,
            repository: wanted.repository,
            action: wanted.action,
            decision,
            refusal,
            groups: groups(admitted.row.as_ref(), &admitted.principal),
        })
    };
    match answered.await {
        Ok(why) => answer::json(200, &why),
        Err(refused) => answer::refused(&refused, &origin.request_id),
    }
}

/// The groups of whoever asks, each with its source: the token that is shown, where nobody else says them.
fn groups(row: Option<&PersonRow>, principal: &Principal) -> Vec<GroupSource> {
    if let Some(row) = row.filter(|row| row.counting_groups().origin != GroupOrigin::Token) {
        return row.group_sources();
    }
    let Groups::Known(groups) = &principal.groups else {
        return Vec::new();
    };
    let of = |group: &String| GroupSource {
        group: group.clone(),
        by: GroupOrigin::Token.word().to_owned(),
        at_ms: principal.proven_at.saturating_mul(1000),
        counts: true,
        because: GroupOrigin::Token.because().to_owned(),
    };
    let teams = row.map(PersonRow::team_sources).unwrap_or_default();
    let own = groups
        .iter()
        .filter(|group| teams.iter().all(|team| team.group != **group));
    own.map(of).chain(teams.iter().cloned()).collect()
}

fn wanted(live_config: &LiveConfig, query: &str) -> Result<PolicyRequest, Refused> {
    let query = Form::parse(query.as_bytes())?;
    if query.unknown(&["hub", "repository", "action", "role"]) {
        return Err(Refused::bad_request(
            "the question holds a parameter that is not known here",
            "ask with hub, repository, action and role; the person is whoever asks",
        ));
    }
    let hub = query.need("hub")?;
    let hub = live_config
        .settings
        .hubs
        .iter()
        .find(|known| known.name.as_str() == hub || known.url == hub.trim_end_matches('/'))
        .ok_or_else(|| Refused::new(OAuthError::InvalidRequest, Refusal::no_hub()))?;
    let repository = query.get("repository").map(str::parse).transpose();
    let role = query.get("role").map(str::parse).transpose();
    Ok(PolicyRequest {
        hub: hub.name.clone(),
        repository: repository.map_err(|_| unreadable("repository"))?,
        action: match query.get("action") {
            None | Some("read") => Action::Read,
            Some("write") => Action::Write,
            Some("manage") => Action::Manage,
            Some(_) => return Err(unreadable("action")),
        },
        role: role.map_err(|_| unreadable("role"))?,
    })
}

fn unreadable(name: &str) -> Refused {
    Refused::bad_request(
        format!("`{name}` can't be read"),
        "write it as `oam why` does",
    )
}
