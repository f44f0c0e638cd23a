//! What others say: each source's discovery and keys, the hubs, the issuer's own address, and the clocks.

use super::{Finding, State, endpoints};
use oam_issuer::outbound::{Answer, OutboundClient};
use oam_issuer::place;
use oam_model::answer::EndpointFault;
use oam_model::issuer::{AccessTokenCheck, IdentitySource, IssuerSettings, SourceKeys};
use oam_session::standing::{IT, words};
use oam_system::clock;
use oam_terminal::moment::local;
use serde_json::Value;
use std::time::Duration;

/// Longest wait for an answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// Clocks that differ by more than this refuse tokens, seconds.
const SKEW_S: u64 = 30;

pub(super) async fn look(
    settings: &IssuerSettings,
    outside: &OutboundClient,
    findings: &mut Vec<Finding>,
) {
    for source in &settings.sources {
        look_at_source(source, outside, findings).await;
    }
    for hub in &settings.hubs {
        let part = format!("hub {}", hub.name);
        // Any status is an answer.
        let asked = outside.within(PATIENCE).get_json(&hub.url, None).await;
        findings.push(match asked {
            Ok(_) => Finding::ok(part, format!("{} answers", hub.url)),
            Err(fault) => unreachable(part, &hub.url, &fault, State::Warning),
        });
    }
    own(settings, outside, findings).await;
}

pub(super) fn unreachable(part: String, url: &str, fault: &EndpointFault, state: State) -> Finding {
    Finding::bad(
        part,
        state,
        format!("{url} gave no usable answer: {}", words(IT, fault)),
        "look at the address, at DNS and routes from this machine, at `proxy`, and at `ca_file` where it has a certificate of your own",
    )
}

async fn get(outside: &OutboundClient, url: &str) -> Result<(Answer, Value), EndpointFault> {
    let answer = outside.within(PATIENCE).get_json(url, None).await?.ok()?;
    let value = serde_json::from_slice(&answer.body).map_err(|_| EndpointFault::Unreadable {
        why: "the answer is no JSON".into(),
    })?;
    Ok((answer, value))
}

async fn look_at_source(
    source: &IdentitySource,
    outside: &OutboundClient,
    findings: &mut Vec<Finding>,
) {
    let part = format!("source {}", source.name);
    let before = findings.len();
    let mut jwks_uri = match &source.keys {
        SourceKeys::Address(address) => Some(address.clone()),
        SourceKeys::Discovery | SourceKeys::File(_) => None,
    };
    let mut document = None;
    if needs_discovery(source) {
        let base = source.issuer.trim_end_matches('/');
        let url = format!("{base}/.well-known/openid-configuration");
        match get(outside, &url).await {
            Err(fault) => findings.push(unreachable(part.clone(), &url, &fault, State::Fault)),
            Ok((answer, found)) => {
                findings.extend(judge_discovery(source, &found));
                findings.extend(judge_clock(&part, answer.date_s, clock::now_s()));
                if source.keys == SourceKeys::Discovery {
                    jwks_uri = found["jwks_uri"].as_str().map(str::to_owned);
                }
                document = Some(found);
            }
        }
    }
    let keys = match (&source.keys, jwks_uri) {
        (SourceKeys::File(path), _) => Some(read_keys(path)),
        (_, Some(url)) => Some(match get(outside, &url).await {
            Ok((_, keys)) => Ok(keys),
            Err(fault) => Err(unreachable(part.clone(), &url, &fault, State::Fault)),
        }),
        (_, None) => None,
    };
    match keys {
        Some(Ok(keys)) => findings.extend(judge_keys(source, &keys)),
        Some(Err(finding)) => findings.push(Finding {
            part: part.clone(),
            ..finding
        }),
        None => {}
    }
    findings.extend(endpoints::look(source, outside, document.as_ref()).await);
    if findings.len() == before {
        let words = format!("{}: what it publishes fits", source.issuer);
        findings.push(Finding::ok(part, words));
    }
}

fn needs_discovery(source: &IdentitySource) -> bool {
    let endpoint = match &source.access_tokens {
        Some(
            AccessTokenCheck::Introspection { endpoint, .. }
            | AccessTokenCheck::UserInfo { endpoint, .. },
        ) => endpoint.is_none(),
        None => false,
    };
    source.keys == SourceKeys::Discovery || endpoint
}

fn read_keys(path: &str) -> Result<Value, Finding> {
    let read = std::fs::read(path).ok();
    let keys = read.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    keys.ok_or_else(|| {
        Finding::bad(
            "",
            State::Fault,
            format!("{path} can't be read as a key set"),
            "write the provider's JWKS there, readable by the issuer's user",
        )
    })
}

/// What of a discovery document does not fit the settings.
pub(super) fn judge_discovery(source: &IdentitySource, found: &Value) -> Vec<Finding> {
    let part = || format!("source {}", source.name);
    let fault = |sentence: String, next: String| Finding::bad(part(), State::Fault, sentence, next);
    let mut findings = Vec::new();
    let named = found["issuer"].as_str().unwrap_or_default();
    if named != source.issuer {
        let slash = named.trim_end_matches('/') == source.issuer.trim_end_matches('/');
        findings.push(fault(
            format!(
                "its discovery names the issuer `{named}`, and the settings say `{}`{}",
                source.issuer,
                if slash { ": one slash too many or too few" } else { "" }
            ),
            format!("write `issuer = \"{named}\"`, if that is the provider: tokens name it byte for byte"),
        ));
    }
    let signs = texts(&found["id_token_signing_alg_values_supported"]);
    if !signs.is_empty()
        && !signs
            .iter()
            .any(|alg| source.algorithms.iter().any(|own| own == alg))
    {
        findings.push(fault(
            format!(
                "it signs with {}, and `algorithms` takes {}",
                signs.join(", "),
                source.algorithms.join(", ")
            ),
            "add the one that this client's tokens are signed with to `algorithms`".to_owned(),
        ));
    }
    let missing = |name: &str| found[name].as_str().is_none();
    if source.keys == SourceKeys::Discovery && missing("jwks_uri") {
        findings.push(fault(
            "its discovery names no `jwks_uri`".to_owned(),
            "set `jwks_uri` or `jwks_file` for the source".to_owned(),
        ));
    }
    let endpoint = match &source.access_tokens {
        Some(AccessTokenCheck::Introspection { endpoint: None, .. }) => "introspection_endpoint",
        Some(AccessTokenCheck::UserInfo { endpoint: None, .. }) => "userinfo_endpoint",
        _ => return findings,
    };
    if missing(endpoint) {
        findings.push(fault(
            format!("access tokens are to be checked, and its discovery names no `{endpoint}`"),
            "name the endpoint in `access_tokens`, check them the other way, or let people come with ID tokens".to_owned(),
        ));
    }
    findings
}

/// What of a key set does not fit the settings.
pub(super) fn judge_keys(source: &IdentitySource, set: &Value) -> Option<Finding> {
    let keys = set["keys"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let fits = |key: &Value| {
        let alg = key["alg"].as_str();
        alg.is_none_or(|alg| source.algorithms.iter().any(|own| own == alg))
    };
    let (sentence, next) = if keys.is_empty() {
        (
            "its key set is empty",
            "look at the provider, or at `jwks_uri`",
        )
    } else if keys.iter().any(fits) {
        return None;
    } else {
        (
            "none of its keys is for an algorithm that `algorithms` takes",
            "add the algorithm of its keys to `algorithms`",
        )
    };
    let part = format!("source {}", source.name);
    Some(Finding::bad(part, State::Fault, sentence, next))
}

/// Two clocks: tokens of the future, and those that seem over, are refused.
pub(super) fn judge_clock(part: &str, theirs_s: Option<u64>, own_s: u64) -> Option<Finding> {
    let theirs_s = theirs_s.filter(|theirs| theirs.abs_diff(own_s) > SKEW_S)?;
    Some(Finding::bad(
        "clock",
        State::Fault,
        format!(
            "this machine's clock says {}, and that of {part} {}",
            local(own_s),
            local(theirs_s)
        ),
        "set this machine's clock by NTP (`timedatectl`); a token from a clock that differs is refused",
    ))
}

/// The address that agents and hubs use, as seen from here, and what the server says of itself.
async fn own(settings: &IssuerSettings, outside: &OutboundClient, findings: &mut Vec<Finding>) {
    const PART: &str = "own address";
    let url = format!("{}/.well-known/openid-configuration", settings.url);
    match get(outside, &url).await {
        Ok((_, found)) if found["issuer"] == settings.url.as_str() => {
            findings.push(Finding::ok(PART, format!("{} answers as this issuer", settings.url)));
        }
        Ok((_, found)) => findings.push(Finding::bad(
            PART,
            State::Fault,
            format!("at {} answers the issuer {}", settings.url, found["issuer"]),
            "let the address lead to this server, or correct `url`",
        )),
        Err(fault) => findings.push(Finding::bad(
            PART,
            State::Fault,
            format!("{} gave no usable answer: {}", settings.url, words(IT, &fault)),
            "start the server; then look at DNS, at the proxy before it, and at its certificate (`ca_file` where it is of your own authority)",
        )),
    }
    let token = settings.metrics_token.as_ref();
    let token = token.and_then(|place| place::secret(place, "metrics_token").ok());
    let url = format!("{}/readyz", settings.url);
    let asked = outside
        .within(PATIENCE)
        .get_json(&url, token.as_ref())
        .await;
    let said = asked
        .ok()
        .and_then(|answer| serde_json::from_slice(&answer.body).ok());
    findings.extend(said.iter().flat_map(judge_ready));
}

/// What `/readyz` says.
pub(super) fn judge_ready(said: &Value) -> Vec<Finding> {
    let details = texts(&said["details"]);
    let words = |part: &str| {
        if details.is_empty() {
            format!("the running server says that `{part}` is wrong")
        } else {
            format!(
                "the running server says of `{part}`: {}",
                details.join("; ")
            )
        }
    };
    let all = |name: &str, state: State| {
        texts(&said[name])
            .into_iter()
            .map(|part| {
                let next = "look at the server's log, which names the place; what is mended is taken by itself";
                Finding::bad("server", state, words(&part), next)
            })
            .collect::<Vec<_>>()
    };
    [
        all("problems", State::Fault),
        all("warnings", State::Warning),
    ]
    .concat()
}

fn texts(value: &Value) -> Vec<String> {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    items
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}
