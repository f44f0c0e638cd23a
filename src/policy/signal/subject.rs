//! Whom an event is about (RFC 9493 §3, SSF 1.0 §3, and the older forms still sent).

use super::{Channel, Rejected, named};
use crate::claims::Claims;
use oam_model::signal::SignalSubject;
use serde_json::Value;

/// Longest identifier, bytes.
const LONGEST: usize = 1024;
/// Most identifiers of one subject.
const MOST: usize = 16;
/// Members of a complex subject (SSF 1.0 §3.2).
const MEMBERS: &[&str] = &[
    "user",
    "session",
    "device",
    "application",
    "tenant",
    "org_unit",
    "group",
];
/// Those of them that somebody can be found by here.
const FOUND_BY: &[&str] = &["user", "session"];

/// Names of the subject, the surest first.
pub(super) struct Names {
    pub(super) subjects: Vec<SignalSubject>,
    /// A member that the transmitter calls critical and that is not understood.
    pub(super) unknown_critical: Option<&'static str>,
}

/// From `sub_id` (SSF 1.0 §4), else `subject` of the event (CAEP and RISC before it, Okta, Google), else
/// `sub`, which SSF forbids and old transmitters send.
pub(super) fn of(
    channel: &Channel<'_>,
    claims: &Claims,
    payload: &Claims,
) -> Result<Names, Rejected> {
    let none = Names {
        subjects: Vec::new(),
        unknown_critical: None,
    };
    let said = claims.get("sub_id").or_else(|| payload.get("subject"));
    let Some(said) = said else {
        let Some(sub) = claims.get("sub") else {
            return Ok(none);
        };
        let subject = SignalSubject {
            issuer: Some(channel.source.issuer.clone()),
            subject: Some(text(sub)?),
            ..SignalSubject::default()
        };
        return Ok(Names {
            subjects: vec![subject],
            ..none
        });
    };
    let said = object(said)?;
    if is_complex(said) {
        return complex(channel, said);
    }
    Ok(Names {
        subjects: simple(channel, said)?,
        ..none
    })
}

/// Okta leaves `format` out, so that its members tell.
fn is_complex(said: &Claims) -> bool {
    match form(said).as_deref() {
        Some(form) => form == "complex",
        None => MEMBERS.iter().any(|member| said.contains_key(*member)),
    }
}

/// Every member describes the one subject. Members that nobody can be found by are left out, which makes
/// it wider, never narrower; a session that is not known makes way for its user, because only the last
/// session of a person is known here.
fn complex(channel: &Channel<'_>, said: &Claims) -> Result<Names, Rejected> {
    let unknown_critical = MEMBERS
        .iter()
        .filter(|member| said.contains_key(**member) && !FOUND_BY.contains(*member))
        .find(|member| channel.critical.iter().any(|critical| critical == **member))
        .copied();
    let users = match said.get("user") {
        Some(user) => simple(channel, object(user)?)?,
        None => Vec::new(),
    };
    let session = match said.get("session") {
        Some(session) => object(session)?.get("id").map(text).transpose()?,
        None => None,
    };
    let mut subjects = Vec::new();
    if session.is_some() {
        let with_session = |user: &SignalSubject| SignalSubject {
            session: session.clone(),
            ..user.clone()
        };
        subjects.extend(users.iter().map(with_session));
        if users.is_empty() {
            subjects.push(with_session(&SignalSubject::default()));
        }
    }
    subjects.extend(users);
    Ok(Names {
        subjects,
        unknown_critical,
    })
}

/// What names the format: `format` by RFC 9493, `subject_type` by the drafts before (Google).
fn form(said: &Claims) -> Option<String> {
    let form = said.get("format").or_else(|| said.get("subject_type"))?;
    Some(form.as_str()?.to_ascii_lowercase().replace('-', "_"))
}

fn simple(channel: &Channel<'_>, said: &Claims) -> Result<Vec<SignalSubject>, Rejected> {
    match form(said).as_deref() {
        Some("aliases") => aliases(channel, said),
        _ => one(channel, said),
    }
}

/// All of them name one subject: the surest kind first, for a person's e-mail may have changed.
fn aliases(channel: &Channel<'_>, said: &Claims) -> Result<Vec<SignalSubject>, Rejected> {
    let list = said
        .get("identifiers")
        .and_then(Value::as_array)
        .filter(|list| list.len() <= MOST)
        .ok_or_else(|| Rejected::request("`identifiers` of aliases is missing or too long"))?;
    let mut subjects = Vec::new();
    for identifier in list {
        // Not nested (RFC 9493 §3.2.8).
        subjects.extend(one(channel, object(identifier)?)?);
    }
    subjects.sort_by_key(|subject| (subject.subject.is_none(), subject.key.is_none()));
    Ok(subjects)
}

/// A format that nobody can be found by gives nothing; the signal matches nobody then, and says so.
fn one(channel: &Channel<'_>, said: &Claims) -> Result<Vec<SignalSubject>, Rejected> {
    let given = |name: &str| said.get(name).map(text).transpose();
    let needed = |name: &str| {
        given(name)?.ok_or_else(|| Rejected::request(format!("`{name}` of the subject is missing")))
    };
    let empty = SignalSubject::default;
    let by_issuer = |iss: &str, subject: String| SignalSubject {
        issuer: Some(issuer(channel, iss)),
        subject: Some(subject),
        ..empty()
    };
    let by_email = |email: String| SignalSubject {
        email: Some(email),
        ..empty()
    };
    let subjects = match form(said).as_deref() {
        Some("iss_sub") => vec![by_issuer(&needed("iss")?, needed("sub")?)],
        Some("email") => vec![by_email(needed("email")?)],
        Some("opaque") => by_id(channel, &needed("id")?),
        Some("account") => {
            let uri = needed("uri")?;
            let account = uri.strip_prefix("acct:").filter(|at| at.contains('@'));
            vec![account.map_or_else(empty, |at| by_email(at.to_owned()))]
        }
        // Google's `id_token_claims`, and formats left out: the members tell.
        Some("id_token_claims") | None => {
            let mut subjects = Vec::new();
            match (given("iss")?, given("sub")?) {
                (Some(iss), Some(sub)) => subjects.push(by_issuer(&iss, sub)),
                (None, Some(sub)) => subjects.push(by_issuer(&channel.source.issuer, sub)),
                _ => {}
            }
            subjects.extend(given("email")?.map(by_email));
            subjects
        }
        // `phone_number`, `did`, `uri`, `jwt_id`, `saml_assertion_id`, `ip-addresses`: of nobody kept here.
        Some(_) => Vec::new(),
    };
    Ok(subjects.into_iter().filter_map(named).collect())
}

/// The provider's own id of a person: where the source has a stable key beside the subject, it may be either.
fn by_id(channel: &Channel<'_>, id: &str) -> Vec<SignalSubject> {
    let key = channel.source.key_claim.is_some().then(|| SignalSubject {
        key: Some(id.to_owned()),
        ..SignalSubject::default()
    });
    let subject = SignalSubject {
        subject: Some(id.to_owned()),
        ..SignalSubject::default()
    };
    key.into_iter().chain([subject]).collect()
}

/// A transmitter may name people by its own `iss`, which differs from the one in their tokens (Google: by
/// a slash; Okta: the organization instead of the authorization server).
fn issuer(channel: &Channel<'_>, iss: &str) -> String {
    if iss == channel.transmitter.issuer {
        channel.source.issuer.clone()
    } else {
        iss.to_owned()
    }
}

fn object(value: &Value) -> Result<&Claims, Rejected> {
    value
        .as_object()
        .ok_or_else(|| Rejected::request("the subject is no object"))
}

fn text(value: &Value) -> Result<String, Rejected> {
    value
        .as_str()
        .filter(|text| {
            !text.is_empty() && text.len() <= LONGEST && !text.chars().any(char::is_control)
        })
        .map(str::to_owned)
        .ok_or_else(|| Rejected::request("an identifier of the subject is no plain text"))
}
