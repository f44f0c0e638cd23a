//! Tokens that hubs might still honour: the hubs are told from here, so that it happens also while the server
//! is down. A running server would do it a little later.

use super::report::AtHub;
use oam_issuer::keys::SigningKeys;
use oam_issuer::mint::{Mint, Parts, honoured_until};
use oam_issuer::outbound::OutboundClient;
use oam_issuer::seal::MasterKey;
use oam_model::issuer::{IssuerSettings, SecretPlace};
use oam_model::name::OrgName;
use oam_model::refusal::Refusal;
use oam_store::{Store, TokenRow};
use std::sync::Arc;

/// Tells the hubs of these tokens, and records what became of each.
///
/// # Errors
/// The master key can't be read here, or the outcome could not be recorded. The tokens are inactive at the
/// issuer all the same.
pub(super) async fn tell(
    settings: &IssuerSettings,
    org: &OrgName,
    store: &Arc<dyn Store>,
    revoked: &[TokenRow],
    now_ms: u64,
) -> Result<Vec<AtHub>, Refusal> {
    // The issuer's own tokens are looked up at introspection: there is nobody to tell.
    let kept: Vec<TokenRow> = revoked
        .iter()
        .filter(|token| token.sealed.is_some())
        .cloned()
        .collect();
    if kept.is_empty() {
        return Ok(Vec::new());
    }
    let mint = mint(settings, org, store, now_ms).await?;
    let until: Vec<u64> = kept
        .iter()
        .map(|token| mint.honoured_until(token))
        .collect();
    let outcomes = mint.settle(&kept, now_ms).await?;
    Ok(kept
        .iter()
        .zip(outcomes)
        .zip(until)
        .map(|((token, (_, outcome)), until_s)| AtHub::of(token, &outcome, until_s))
        .collect())
}

/// Until when the hubs of these tokens honour them, Unix seconds, those left out that are over there too; none
/// where that is not known. Beside it why, where the master key can't be read here.
pub(super) fn honoured(
    master_key: &SecretPlace,
    tokens: Vec<TokenRow>,
    now_s: u64,
) -> (Vec<(TokenRow, Option<u64>)>, Option<Refusal>) {
    if tokens.is_empty() {
        return (Vec::new(), None);
    }
    let (master, fault) = match MasterKey::read(master_key) {
        Ok(master) => (Some(master), None),
        Err(fault) => (None, Some(fault)),
    };
    let until = |row: &TokenRow| master.as_ref().and_then(|key| honoured_until(key, row));
    let with_end = tokens.into_iter().map(|row| (until(&row), row));
    let good = with_end.filter(|(until, _)| until.is_none_or(|at| at > now_s));
    (good.map(|(until, row)| (row, until)).collect(), fault)
}

async fn mint(
    settings: &IssuerSettings,
    org: &OrgName,
    store: &Arc<dyn Store>,
    now_ms: u64,
) -> Result<Mint, Refusal> {
    let later = |refusal: Refusal| {
        Refusal::unavailable(
            format!("the hubs were not told from here: {}", refusal.sentence),
            "a running server tells them within seconds; look at its audit log for the outcome",
        )
    };
    let master = Arc::new(MasterKey::read(&settings.master_key).map_err(later)?);
    let keys = SigningKeys::open(
        Arc::clone(store),
        Arc::clone(&master),
        settings.signing,
        org.clone(),
        now_ms,
    );
    Ok(Mint::new(Parts {
        url: settings.url.clone(),
        org: org.clone(),
        hubs: settings.hubs.clone(),
        keys: Arc::new(keys.await.map_err(later)?),
        outside: Arc::new(OutboundClient::new(settings).map_err(later)?),
        store: Arc::clone(store),
        master,
    }))
}
