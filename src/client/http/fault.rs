//! Refusals of the organization's own issuer, kept in the words that people read.

use oam_http::Answer;
pub use oam_http::fault::plain_code;
use oam_model::answer::EndpointFault;
use oam_model::organization::Denial;

/// The answer of the organization's own issuer when its status is 200.
///
/// # Errors
/// [`EndpointFault::Denied`], or as [`Answer::ok`] when something else answered in its place.
pub fn ok_of_issuer(answer: Answer) -> Result<Answer, EndpointFault> {
    if answer.status != 200
        && let Some((error, denial)) = denial(&answer.body)
        // From 500 on nothing was decided, whatever stands in the body.
        && (answer.status < 500 || denial.code.passes())
    {
        return Err(EndpointFault::Denied {
            status: answer.status,
            error,
            denial: Box::new(denial),
            retry_after_s: answer.retry_after_s,
        });
    }
    answer.ok()
}

/// Longest sentence taken over from an issuer, characters.
const SENTENCE: usize = 400;

/// The issuer's refusal in an error's body, made fit to be shown: one line, nothing that moves a
/// cursor or turns text around (R42).
fn denial(body: &[u8]) -> Option<(Option<String>, Denial)> {
    #[derive(serde::Deserialize)]
    struct Refused {
        #[serde(default)]
        error: Option<String>,
        oam: Denial,
    }
    let Refused { error, oam } = serde_json::from_slice(body).ok()?;
    let error = error.as_deref().and_then(plain_code);
    let denial = Denial {
        code: oam.code,
        sentence: plain_text(&oam.sentence),
        next: plain_text(&oam.next),
        reason: oam.reason.as_deref().map(plain_text),
        request_id: plain_id(&oam.request_id),
    };
    (!denial.sentence.is_empty()).then_some((error, denial))
}

/// Text of the issuer's as it may be shown and logged.
pub fn plain_text(text: &str) -> String {
    let turns = |c: char| {
        matches!(
            c,
            '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{feff}'
        ) || ('\u{202a}'..='\u{202e}').contains(&c)
            || ('\u{2066}'..='\u{2069}').contains(&c)
    };
    text.chars()
        .filter(|c| !c.is_control() && !turns(*c))
        .take(SENTENCE)
        .collect()
}

/// A request id as the contract has it; empty when it is none.
pub fn plain_id(id: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if id.len() <= 64 && id.chars().all(plain) {
        id.to_owned()
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::{denial, plain_text};

    #[test]
    fn an_issuers_words_are_one_harmless_line() {
        assert_eq!(plain_text("a\u{1b}[2J\nb\u{202e}c"), "a[2Jbc");
        assert_eq!(plain_text(&"x".repeat(9_000)).len(), 400);
        let body = br#"{"error":"invalid_scope","oam":{"code":"denied","sentence":"no\r role","next":"ask","request_id":"a b"}}"#;
        let (error, denied) = denial(body).unwrap();
        assert_eq!(error.as_deref(), Some("invalid_scope"));
        assert_eq!(
            (denied.sentence.as_str(), denied.request_id.as_str()),
            ("no role", "")
        );
    }

    #[test]
    fn what_is_no_refusal_of_an_issuer_is_none() {
        for body in [
            "{\"error\":\"invalid_scope\"}",
            "{\"oam\":{\"code\":\"whatever\",\"sentence\":\"s\",\"next\":\"n\",\"request_id\":\"\"}}",
            "{\"oam\":{\"code\":\"denied\",\"sentence\":\"\",\"next\":\"n\",\"request_id\":\"\"}}",
            "<html>",
        ] {
            assert!(denial(body.as_bytes()).is_none(), "{body}");
        }
    }
}
