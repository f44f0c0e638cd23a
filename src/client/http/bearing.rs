//! Requests that speak for a person.

use oam_model::answer::EndpointFault;
use oam_model::secret::Secret;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use zeroize::Zeroizing;

/// The header that speaks for the person. Its copy of the token is the HTTP layer's and is not wiped.
pub fn bearing(bearer: &Secret) -> Result<HeaderMap, EndpointFault> {
    let text = Zeroizing::new(format!("Bearer {}", bearer.expose()));
    let mut value = HeaderValue::from_str(&text).map_err(|_| EndpointFault::NotSent {
        why: "the session's token can't be sent in a header".into(),
    })?;
    value.set_sensitive(true);
    Ok(HeaderMap::from_iter([(AUTHORIZATION, value)]))
}
