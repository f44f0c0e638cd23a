//! What git is told.

use oam_model::granted::Scheme;
use oam_model::refusal::Refusal;
use oam_wire::brief::BriefToken;
use oam_wire::buffer::Buffer;

/// The lines for a granted token. `authtype`: git said that it knows `authtype` and `credential`;
/// without that word neither they nor `ephemeral` are sent (R8).
///
/// # Errors
/// A value that would break the line format is never written: it could say another thing to git.
pub(super) fn granted(granted: &BriefToken, authtype: bool) -> Result<Buffer, Refusal> {
    let token = granted.token.expose();
    let mut out = Buffer::new();
    if authtype {
        out.push(b"capability[]=authtype\n");
    }
    if authtype && granted.scheme == Scheme::Bearer {
        out.push(b"authtype=Bearer\n");
        line(&mut out, "credential", token)?;
    } else {
        line(&mut out, "username", &granted.username)?;
        line(&mut out, "password", token)?;
    }
    if authtype {
        out.push(b"ephemeral=1\n");
    }
    line(
        &mut out,
        "password_expiry_utc",
        &granted.expires_at.to_string(),
    )?;
    Ok(out)
}

fn line(out: &mut Buffer, key: &str, value: &str) -> Result<(), Refusal> {
    if value.is_empty() || value.chars().any(char::is_control) {
        return Err(Refusal::unavailable(
            format!("the agent's answer has no usable {key}"),
            "look at the hub in the configuration; `oam doctor` shows it",
        ));
    }
    out.push(key.as_bytes());
    out.push(b"=");
    out.push(value.as_bytes());
    out.push(b"\n");
    Ok(())
}

/// The agent answered something else than was asked.
pub(super) fn unexpected() -> Refusal {
    Refusal::unavailable(
        "the agent answered another question",
        "install the same version of the agent and of git-credential-oam",
    )
}
