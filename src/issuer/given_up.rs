//! Subject tokens that count no longer although their provider may still call them good: those that somebody gave up
//! by signing out. An ID token of before is told by its time; about an access token the provider is asked anew each
//! time, and its answer is always of now.

use super::identity::token_id;
use super::state::{Issuer, LiveConfig};
use oam_model::issuer::IdentitySource;
use oam_model::principal::{Principal, PrincipalKind};
use oam_model::refusal::{Refusal, RefusalCode};
use oam_model::secret::Secret;
use oam_policy::claims::{SKEW_S, read};
use oam_store::{StoreChange, StoreFault};

/// How long one is remembered whose end its provider does not tell, seconds.
const UNTOLD_S: u64 = 90 * 24 * 3600;

fn transmitter(source: &IdentitySource) -> String {
    format!("given-up:{}", source.name)
}

/// The source, where its provider is asked about the tokens of this principal.
fn asked_about<'c>(
    live_config: &'c LiveConfig,
    principal: &Principal,
) -> Option<&'c IdentitySource> {
    let source = live_config.identities.source(&principal.key.source)?;
    let is_asked = source.access_tokens.is_some() && principal.kind == PrincipalKind::Person;
    is_asked.then_some(source)
}

/// What keeps a token that is given up from being taken again; none where its time tells that.
pub(crate) fn given_up(
    live_config: &LiveConfig,
    principal: &Principal,
    token: &Secret,
    now_s: u64,
) -> Option<StoreChange> {
    let source = asked_about(live_config, principal)?;
    let told = principal.claims.get("exp").and_then(read::seconds);
    let until_s = told.map_or_else(
        || now_s.saturating_add(UNTOLD_S),
        |exp| exp.saturating_add(SKEW_S),
    );
    Some(StoreChange::Once {
        transmitter: transmitter(source),
        id: token_id(token),
        until_ms: until_s.saturating_mul(1000),
    })
}

/// Refuses a token that was given up. After the principal was admitted: a sign-out that comes in between overtakes
/// what was decided by then.
///
/// # Errors
/// It was, or the store is not there.
pub(crate) async fn not_given_up(
    issuer: &Issuer,
    live_config: &LiveConfig,
    principal: &Principal,
    token: &Secret,
) -> Result<(), Refusal> {
    let Some(source) = asked_about(live_config, principal) else {
        return Ok(());
    };
    let kept = issuer.store.is_taken(transmitter(source), token_id(token));
    match kept.await {
        Ok(false) => Ok(()),
        Ok(true) => Err(Refusal::new(
            RefusalCode::Ended,
            "this token was given up by a sign-out",
            format!("run `oam login {}`", live_config.org().name),
        )),
        Err(fault) => Err(StoreFault::refusal(&fault)),
    }
}
