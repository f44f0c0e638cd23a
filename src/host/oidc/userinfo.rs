//! Userinfo (OIDC Core §5.3): what a provider says of the groups where its renewals bring no ID token.

use super::super::http::{bearing, way_of};
use super::{Inner, words};
use oam_agent::ports::UserInfo;
use oam_config::agent::Org;
use oam_model::answer::EndpointFault;
use oam_model::identity::Identity;
use oam_model::secret::Secret;
use oam_oidc::jose;
use oam_policy::claims::groups::{self, GroupClaims};
use std::time::Duration;

/// Longest wait: whoever asked for a token waits too.
const PATIENCE: Duration = Duration::from_secs(3);

/// Asks with an access token of the renewed session. What can't be had or believed is unread: the proof is the
/// renewal, and does not hang on it.
pub(super) async fn ask(inner: &Inner, org: &Org, access: &Secret, known: &Identity) -> UserInfo {
    let asked = async {
        let metadata = inner.discovery.known(&org.provider).await?;
        let Some(url) = &metadata.userinfo_endpoint else {
            return Ok(UserInfo::Unread);
        };
        let via = way_of(&org.provider);
        let headers = bearing(access)?;
        let answer = inner
            .http
            .get_with(&via, url, headers, PATIENCE)
            .await?
            .ok()?;
        read(&answer.body, &org.provider.groups_claim, &known.subject)
    };
    asked.await.unwrap_or_else(|fault| {
        tracing::warn!(org = %org.name, cause = %words::of(&fault), "userinfo is not used");
        UserInfo::Unread
    })
}

/// Userinfo is believed only about the subject of the ID token (§5.3.2): an access token may be another's.
fn read(body: &[u8], claim: &str, subject: &str) -> Result<UserInfo, EndpointFault> {
    let unreadable = |why: &str| EndpointFault::Unreadable { why: why.into() };
    let members = jose::object(body).ok_or_else(|| unreadable("the answer is no JSON object"))?;
    if members.get("sub").and_then(|sub| sub.as_str()) != Some(subject) {
        return Err(EndpointFault::Check {
            name: "sub".into(),
            why: "userinfo is about somebody else".into(),
        });
    }
    match groups::told(&members, claim) {
        GroupClaims::Known { groups, .. } => Ok(UserInfo::Groups(groups)),
        GroupClaims::Absent => Ok(UserInfo::Silent),
        GroupClaims::Elsewhere | GroupClaims::Unreadable { .. } => {
            Err(unreadable("its groups can't be read there"))
        }
    }
}
