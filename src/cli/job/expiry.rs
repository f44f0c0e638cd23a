//! A job's ID token that is over, told before anybody is asked: CI systems make it when the job starts, and only some
//! of them make another.

use crate::when;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oam_model::refusal::{Refusal, RefusalCode};
use serde::Deserialize;

/// How far the clocks of a runner and of its CI system are apart, seconds: within it the issuer decides.
const LEEWAY_S: u64 = 60;

/// The refusal of a token that ended before `now`, Unix seconds; none where it is good, or says nothing of its end.
/// Nothing is believed here: a token that lies about it is refused by the issuer.
pub(super) fn over(
    token: &str,
    place: &str,
    now: u64,
    get: &dyn Fn(&str) -> Option<String>,
) -> Option<Refusal> {
    let ended = end(token).filter(|end| end.saturating_add(LEEWAY_S) < now)?;
    let next = if get("GITLAB_CI").is_some() {
        "GitLab makes it once, when the job starts, and it ends with the job's `timeout`: run the job again, with a longer `timeout` if this comes late in it"
    } else if get("CIRCLECI").is_some() || get("BUILDKITE").is_some() {
        "ask for another one right before this command, in the same step"
    } else {
        "have the CI system make another one, or read it from a file that is renewed (--id-token-file)"
    };
    Some(Refusal::new(
        RefusalCode::Ended,
        format!(
            "{place} holds an ID token that ended {} ago",
            when::span(now.saturating_sub(ended))
        ),
        next,
    ))
}

fn end(token: &str) -> Option<u64> {
    #[derive(Deserialize)]
    struct Claims {
        exp: f64,
    }
    let payload = token.split('.').nth(1)?;
    let bytes = URL_SAFE_NO_PAD.decode(payload).ok()?;
    let Claims { exp } = serde_json::from_slice(&bytes).ok()?;
    // As some write it, with a fraction; a number beyond every date says nothing.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float is cut to the range of the integer"
    )]
    (exp.is_finite() && exp >= 0.0).then_some(exp as u64)
}

#[cfg(test)]
mod tests {
    use super::over;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    fn token(claims: &str) -> String {
        format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn a_token_that_is_over_is_told_with_what_its_ci_system_can_do() {
        for (variable, said) in [
            ("GITLAB_CI", "`timeout`"),
            ("CIRCLECI", "in the same step"),
            ("OTHER", "--id-token-file"),
        ] {
            let get = |name: &str| (name == variable).then(|| "true".to_owned());
            let refusal = over(&token("{\"exp\":1000}"), "the variable X", 1120, &get).unwrap();
            assert!(
                refusal
                    .sentence
                    .contains("the variable X holds an ID token that ended")
            );
            assert!(refusal.next.contains(said), "{refusal:?}");
            assert_eq!(refusal.code.exit_code(), 3);
        }
    }

    #[test]
    fn what_says_nothing_of_its_end_or_lives_is_the_issuers_to_judge() {
        let none = |_: &str| None;
        for claims in [
            "{\"exp\":1100}",
            "{\"exp\":1060.5}",
            "{}",
            "{\"exp\":-1}",
            "{\"exp\":\"x\"}",
            "[]",
        ] {
            assert_eq!(over(&token(claims), "x", 1120, &none), None, "{claims}");
        }
        assert_eq!(over("a.b.c", "x", 1120, &none), None);
    }
}
