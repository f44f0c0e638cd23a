//! What the REST dialects share: one request after the other at the pace that the provider wants, a token that is renewed,
//! pages that lead nowhere else.

use super::{ReadFault, ReadOrder};
use crate::outbound::{Answer, Auth};
use oam_model::answer::EndpointFault;
use oam_model::secret::{Secret, wire};
use oam_system::clock;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, LINK};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use zeroize::Zeroizing;

/// How often one request is sent that the provider puts off.
const ATTEMPTS: usize = 8;
/// A token is renewed this long before its end, seconds.
const RENEWED_S: u64 = 20;
/// Wait where the provider does not say how long, seconds.
const PAUSE_S: u64 = 10;
/// Most pages of one list.
const PAGES: usize = 20_000;

/// By what a request shows who sends it.
pub(super) enum Credential<'a> {
    /// What stands in `Authorization`.
    Fixed(Zeroizing<String>),
    /// A token by a form (RFC 6749 §4.4, RFC 7523).
    Granted(TokenRequestForm<'a>),
}

/// Members of a form, wiped after use.
pub(super) type FormPairs = Vec<(&'static str, Zeroizing<String>)>;

/// Where a token is asked for, and with what.
pub(super) struct TokenRequestForm<'a> {
    pub(super) url: String,
    /// Client id and secret, where they are shown by Basic.
    pub(super) basic: Option<(&'a str, &'a Secret)>,
    /// The form, made anew for every token.
    pub(super) form: Box<dyn Fn(u64) -> Result<FormPairs, ReadFault> + Send + Sync + 'a>,
}

/// One provider's interface.
pub(super) struct RestClient<'a> {
    order: &'a ReadOrder<'a>,
    /// Every address begins so: the token goes nowhere else.
    base: &'a str,
    credential: Credential<'a>,
    token: Option<(Secret, u64)>,
    /// No request before that.
    rests_until: Option<Instant>,
    pages: usize,
}

#[derive(Deserialize)]
struct TokenAnswer {
    #[serde(with = "wire")]
    access_token: Secret,
    #[serde(default)]
    expires_in: Option<u64>,
}

impl<'a> RestClient<'a> {
    pub(super) const fn new(
        order: &'a ReadOrder<'a>,
        base: &'a str,
        credential: Credential<'a>,
    ) -> Self {
        Self {
            order,
            base,
            credential,
            token: None,
            rests_until: None,
            pages: 0,
        }
    }

    /// What stands at an address; none: nothing (404).
    pub(super) async fn find<T: DeserializeOwned>(
        &mut self,
        what: &'static str,
        url: &str,
    ) -> Result<Option<(HeaderMap, T)>, ReadFault> {
        let (headers, answer) = self.answered(what, url).await?;
        if answer.status == 404 {
            return Ok(None);
        }
        let answer = answer
            .ok()
            .map_err(|fault| ReadFault::Endpoint { what, fault })?;
        let value =
            serde_json::from_slice(&answer.body).map_err(|_| ReadFault::Unreadable(what))?;
        Ok(Some((headers, value)))
    }

    /// One page of a list.
    pub(super) async fn page<T: DeserializeOwned>(
        &mut self,
        what: &'static str,
        url: &str,
    ) -> Result<(HeaderMap, T), ReadFault> {
        self.pages += 1;
        if self.pages > PAGES {
            return Err(ReadFault::Astray);
        }
        let found = self.find(what, url).await?;
        found.ok_or(ReadFault::Endpoint {
            what,
            fault: EndpointFault::Status {
                status: 404,
                error: None,
                bare: false,
            },
        })
    }

    /// The answer to a request that may be sent again.
    async fn answered(
        &mut self,
        what: &'static str,
        url: &str,
    ) -> Result<(HeaderMap, Answer), ReadFault> {
        if !url
            .strip_prefix(self.base)
            .is_some_and(|rest| rest.starts_with(['/', '?']))
        {
            return Err(ReadFault::Astray);
        }
        let mut renewed = false;
        for _ in 0..ATTEMPTS {
            self.rest().await?;
            let headers = self.headers().await?;
            let sent = self.order.outside.get_with_headers(url, headers).await;
            let (headers, answer) = sent.map_err(|fault| ReadFault::Endpoint { what, fault })?;
            let pace = pace(
                answer.status,
                &headers,
                answer.retry_after_s,
                clock::now_s(),
            );
            self.rests_until = pace
                .wait_s
                .map(|wait| Instant::now() + Duration::from_secs(wait));
            // One token may end in the middle of a long reading; a second refusal is meant.
            let over = answer.status == 401
                && !renewed
                && matches!(self.credential, Credential::Granted(_));
            if over {
                renewed = true;
                self.token = None;
            }
            if !pace.again && !over {
                return Ok((headers, answer));
            }
        }
        Err(ReadFault::Limited)
    }

    /// Waits as long as the provider wants to be left alone, where that leaves time.
    async fn rest(&mut self) -> Result<(), ReadFault> {
        if let Some(until) = self.rests_until.take() {
            if until >= self.order.until {
                return Err(ReadFault::Limited);
            }
            sleep_until(until).await;
        }
        Ok(())
    }

    async fn headers(&mut self) -> Result<HeaderMap, ReadFault> {
        let unfit = |fault| ReadFault::Endpoint {
            what: "the credential",
            fault,
        };
        if let Credential::Fixed(text) = &self.credential {
            let mut value =
                HeaderValue::from_str(text).map_err(|_| ReadFault::Unreadable("the secret"))?;
            value.set_sensitive(true);
            return Ok(HeaderMap::from_iter([(AUTHORIZATION, value)]));
        }
        let now_s = clock::now_s();
        if self
            .token
            .as_ref()
            .is_none_or(|(_, until_s)| *until_s <= now_s)
        {
            self.token = self.granted(now_s).await?;
        }
        match &self.token {
            Some((token, _)) => Auth::Bearer(token).headers().map_err(unfit),
            None => Err(ReadFault::Unreadable("the token")),
        }
    }

    async fn granted(&mut self, now_s: u64) -> Result<Option<(Secret, u64)>, ReadFault> {
        let Credential::Granted(grant) = &self.credential else {
            return Ok(None);
        };
        let what = "the token";
        let form = (grant.form)(now_s)?;
        let pairs: Vec<(&str, &str)> = form
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let auth = grant
            .basic
            .map_or(Auth::None, |(id, secret)| Auth::Basic { id, secret });
        let sent = self.order.outside.post_form(&grant.url, &pairs, auth).await;
        let answer: TokenAnswer = sent
            .and_then(Answer::json)
            .map_err(|fault| ReadFault::Endpoint { what, fault })?;
        let life_s = answer.expires_in.unwrap_or(300);
        let until_s = now_s + life_s.saturating_sub(RENEWED_S.min(life_s / 2));
        Ok(Some((answer.access_token, until_s)))
    }
}

/// What an answer says of the pace.
#[derive(Debug, PartialEq, Eq)]
struct Pace {
    /// The request has to be sent again.
    again: bool,
    /// Before the next request, seconds.
    wait_s: Option<u64>,
}

/// Providers tell their limits by `Retry-After`, or by how much is left and until when.
fn pace(status: u16, headers: &HeaderMap, retry_after_s: Option<u64>, now_s: u64) -> Pace {
    let number = |names: [&str; 2]| {
        let mut found = names.iter().filter_map(|name| {
            headers
                .get(*name)?
                .to_str()
                .ok()?
                .trim()
                .parse::<u64>()
                .ok()
        });
        found.next()
    };
    let left = number(["x-rate-limit-remaining", "ratelimit-remaining"]);
    let reset_s = number(["x-rate-limit-reset", "ratelimit-reset"]).map(|at_s| {
        // A moment, or how long it is until then.
        if at_s > 1_000_000_000 {
            at_s.saturating_sub(now_s)
        } else {
            at_s
        }
    });
    let again = status == 429 || (status == 503 && retry_after_s.is_some());
    let wait_s = if again {
        retry_after_s
            .or(reset_s.map(|wait| wait + 1))
            .or(Some(PAUSE_S))
    } else if left == Some(0) {
        reset_s.map(|wait| wait + 1)
    } else {
        None
    };
    Pace { again, wait_s }
}

/// The page that follows (RFC 8288).
pub(super) fn next_link(headers: &HeaderMap) -> Option<String> {
    let links = headers
        .get_all(LINK)
        .iter()
        .filter_map(|value| value.to_str().ok());
    links.flat_map(|value| value.split(',')).find_map(|link| {
        let (target, rest) = link.trim().strip_prefix('<')?.split_once('>')?;
        let next = rest
            .split(';')
            .any(|one| matches!(one.trim(), "rel=\"next\"" | "rel=next"));
        next.then(|| target.to_owned())
    })
}

/// An address with these parameters.
pub(super) fn with(url: &str, parameters: &[(&str, &str)]) -> Result<String, ReadFault> {
    let mut url = url::Url::parse(url).map_err(|_| ReadFault::Astray)?;
    url.query_pairs_mut().extend_pairs(parameters);
    Ok(url.into())
}

/// An address with one more segment, whatever is in it.
pub(super) fn below(url: &str, segments: &[&str]) -> Result<String, ReadFault> {
    let mut url = url::Url::parse(url).map_err(|_| ReadFault::Astray)?;
    url.path_segments_mut()
        .map_err(|()| ReadFault::Astray)?
        .pop_if_empty()
        .extend(segments);
    Ok(url.into())
}

#[cfg(test)]
mod tests {
    use super::{Pace, below, next_link, pace, with};
    use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn the_providers_pace_is_obeyed() {
        let none = HeaderMap::new();
        let go = |wait_s| Pace {
            again: false,
            wait_s,
        };
        let again = |wait_s| Pace {
            again: true,
            wait_s,
        };
        assert_eq!(pace(200, &none, None, 100), go(None));
        assert_eq!(pace(429, &none, Some(7), 100), again(Some(7)));
        assert_eq!(pace(429, &none, None, 100), again(Some(10)));
        assert_eq!(pace(503, &none, Some(3), 100), again(Some(3)));
        assert_eq!(pace(503, &none, None, 100), go(None));
        let okta = headers(&[
            ("x-rate-limit-remaining", "0"),
            ("x-rate-limit-reset", "1800000030"),
        ]);
        assert_eq!(pace(200, &okta, None, 1_800_000_000), go(Some(31)));
        assert_eq!(pace(429, &okta, None, 1_800_000_000), again(Some(31)));
        let some = headers(&[
            ("x-rate-limit-remaining", "9"),
            ("x-rate-limit-reset", "1800000030"),
        ]);
        assert_eq!(pace(200, &some, None, 1_800_000_000), go(None));
    }

    #[test]
    fn the_next_page_is_found_and_names_can_not_leave_their_place() {
        let links = headers(&[(
            "link",
            "<https://a/x?limit=2>; rel=\"self\", <https://a/x?after=9>; rel=\"next\"",
        )]);
        assert_eq!(next_link(&links).as_deref(), Some("https://a/x?after=9"));
        assert_eq!(next_link(&HeaderMap::new()), None);
        assert_eq!(
            below("https://a/v1/groups", &["../x?y"]).unwrap(),
            "https://a/v1/groups/..%2Fx%3Fy"
        );
        let url = with("https://a/v1", &[("search", "name eq \"a&b\"")]).unwrap();
        assert_eq!(url, "https://a/v1?search=name+eq+%22a%26b%22");
    }
}
