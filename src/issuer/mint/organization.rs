//! Hugging Face's token exchange for organizations: as a member, with scopes. Its client secret can make
//! a token for any member, so it lies here, sealed, and nowhere else.

use super::answer::{self, AnswerError, HubToken};
use super::{Mint, MintFault, MintRequest, MintedToken, fault};
use crate::outbound::Auth;
use crate::secrets;
use oam_model::audit::{AuditEvent, AuditRecord};
use oam_model::principal::PrincipalKind;
use oam_model::refusal::Refusal;
use oam_model::role::Action;
use oam_model::secret::Secret;
use oam_store::Batch;
use std::sync::PoisonError;

/// The scope of an action.
const fn scope(action: Action) -> &'static str {
    match action {
        Action::Read => "read-repos",
        Action::Write => "write-repos",
        Action::Manage => "manage-repos",
    }
}

/// Scopes that are no wider than the one of an action.
const fn within(action: Action) -> &'static [&'static str] {
    match action {
        Action::Read => &["read-repos"],
        Action::Write => &["read-repos", "contribute-repos", "write-repos"],
        Action::Manage => &[
            "read-repos",
            "contribute-repos",
            "write-repos",
            "manage-repos",
        ],
    }
}

impl Mint {
    pub(super) async fn organization(
        &self,
        order: &MintRequest<'_>,
        client_id: &str,
    ) -> Result<MintedToken, MintFault> {
        let email = email(order)?;
        let hub = order.hub;
        let parts = &self.parts;
        let known = secrets::of_hub(&*parts.store, &parts.master, &hub.name, order.now_ms).await?;
        // The newest first. One more while it overlaps: the hub may not have the newest yet.
        let mut refused = None;
        for (number, secret) in known.iter().take(2) {
            match self.as_member(order, client_id, secret, email).await {
                Ok(made) => {
                    if let Some(newest) = refused
                        && let Err(refusal) = self.alarm(order, newest, *number).await
                    {
                        self.discard_unfit(order, Some(made.token)).await;
                        return Err(refusal.into());
                    }
                    // The token reaches whatever the member may in the organization.
                    let wider = order.repository.is_some();
                    return self.handed_out(order, made, wider).await;
                }
                Err(unfit) if fault::code(&unfit.fault) == Some("invalid_client") => {
                    refused.get_or_insert(*number);
                    if known.len() == 1 || refused != Some(*number) {
                        return Err(fault::told(hub, unfit.fault, Some(no_client(order))));
                    }
                }
                Err(unfit) => {
                    self.discard_unfit(order, unfit.token).await;
                    let own = words(order, fault::code(&unfit.fault));
                    return Err(fault::told(hub, unfit.fault, own));
                }
            }
        }
        Err(no_client(order).into())
    }

    async fn as_member(
        &self,
        order: &MintRequest<'_>,
        client_id: &str,
        secret: &Secret,
        email: &str,
    ) -> Result<HubToken, AnswerError> {
        let action = order.decision.action;
        let pairs = [
            (
                "grant_type",
                "urn:ietf:params:oauth:grant-type:token-exchange",
            ),
            ("subject_token", email),
            (
                "subject_token_type",
                "urn:huggingface:token-type:user-email",
            ),
            ("scope", scope(action)),
        ];
        let auth = Auth::Basic {
            id: client_id,
            secret,
        };
        let url = format!("{}/oauth/token", order.hub.url);
        let answer = self.parts.outside.post_form(&url, &pairs, auth).await?;
        answer::read(answer, within(action))
    }

    /// One alarm for each secret that its hub refuses.
    async fn alarm(&self, order: &MintRequest<'_>, newest: u64, used: u64) -> Result<(), Refusal> {
        let hub = &order.hub.name;
        let first = self
            .alarmed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert((hub.clone(), newest));
        if !first {
            return Ok(());
        }
        let entry = AuditRecord {
            hub: Some(hub.clone()),
            request_id: Some(order.request_id.to_owned()),
            detail: Some(format!(
                "hub {hub} refused client secret {newest}; secret {used}, which it follows, was used: set the \
                 right one before that ends"
            )),
            ..AuditRecord::new(AuditEvent::Alarm, self.parts.org.clone(), order.now_ms)
        };
        let batch = Batch {
            changes: Vec::new(),
            entries: vec![entry],
        };
        let written = self.parts.store.commit(batch).await;
        written.map(drop).map_err(|fault| {
            // It is owed still.
            self.alarmed
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&(hub.clone(), newest));
            fault.refusal()
        })
    }
}

/// The member's e-mail. It only names an account at the hub: the person was told by source and key. An address that
/// nobody vouches for can be somebody else's.
fn email<'a>(order: &MintRequest<'a>) -> Result<&'a str, Refusal> {
    let hub = &order.hub.name;
    let principal = order.principal;
    if principal.kind != PrincipalKind::Person {
        return Err(Refusal::denied(
            format!("hub {hub} makes tokens for members of the organization, and a job is none"),
            "use a hub with trusted publishers for jobs",
        ));
    }
    let email = principal.email.as_deref().filter(|email| !email.is_empty());
    let email = email.filter(|_| principal.email_verified);
    email.ok_or_else(|| {
        Refusal::denied(
            format!("hub {hub} knows members by e-mail, and the identity has no verified one"),
            "the identity provider's administrators add the claims `email` and `email_verified` to the token; where nobody can \
             choose an address there, `verified_emails = true` for the source says so",
        )
    })
}

fn no_client(order: &MintRequest<'_>) -> Refusal {
    let hub = &order.hub.name;
    Refusal::unavailable(
        format!("hub {hub} does not take the issuer's client secret, or none is set"),
        format!("the issuer's administrators run `oam-issuer secret set {hub}`"),
    )
}

/// The words that only this backend can say.
fn words(order: &MintRequest<'_>, code: Option<&str>) -> Option<Refusal> {
    let hub = &order.hub.name;
    match code? {
        "invalid_grant" => Some(Refusal::denied(
            format!("hub {hub} knows no member of the organization by your e-mail"),
            "have the hub's administrators add you, with the e-mail of your company account",
        )),
        "invalid_scope" => Some(Refusal::unavailable(
            format!(
                "hub {hub} does not give {} to the issuer's client",
                scope(order.decision.action)
            ),
            "the hub's administrators add this scope to the organization's OAuth application",
        )),
        _ => None,
    }
}
