//! Userinfo (OIDC Core §5.3): what a provider says of the groups where its renewals bring no ID token.

use super::super::http::{Http, bearing, way_of};
use super::{Metadata, words};
use oam_agent::ports::UserInfo;
use oam_config::agent::Org;
use oam_model::answer::EndpointFault;
use oam_model::identity::Identity;
use oam_model::secret::Secret;
use oam_oidc::jose;
use oam_policy::claims::groups::{self, Told};
use std::time::Duration;

/// Longest wait: the renewed session is not on disk before it is over.
const PATIENCE: Duration = Duration::from_secs(3);

/// Asks with the access token that came with the proof. What can't be had or believed is unread: the proof is the
/// renewal, and does not hang on it. Where an issuer judges the groups, nobody is asked here.
pub(super) async fn ask(
    http: &Http,
    org: &Org,
    metadata: &Metadata,
    access: &Secret,
    known: &Identity,
) -> UserInfo {
    let Some(url) = &metadata.userinfo_endpoint else {
        return UserInfo::Unread;
    };
    if org.exchange.issuer().is_some() {
        return UserInfo::Unread;
    }
    let asked = async {
        let via = way_of(&org.provider);
        let answer = http.get_with(&via, url, bearing(access)?, PATIENCE).await;
        read(
            &answer?.ok()?.body,
            &org.provider.groups_claim,
            &known.subject,
        )
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
        Told::Known { groups, .. } => Ok(UserInfo::Groups(groups)),
        Told::Absent => Ok(UserInfo::Silent),
        Told::Elsewhere | Told::Unreadable { .. } => {
            Err(unreadable("its groups can't be read there"))
        }
    }
}
