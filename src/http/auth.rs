//! What a request shows of its sender, in buffers that are wiped.

use crate::body::form_text;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oam_model::answer::EndpointFault;
use oam_model::secret::Secret;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use zeroize::Zeroizing;

/// What a request shows of its sender.
#[derive(Clone, Copy)]
pub enum Auth<'a> {
    /// Nothing.
    None,
    /// Client credentials as RFC 6749 §2.3.1 encodes them.
    Basic {
        /// Client id.
        id: &'a str,
        /// Client secret.
        secret: &'a Secret,
    },
    /// RFC 6750.
    Bearer(&'a Secret),
}

impl Auth<'_> {
    /// `Authorization`, where there is something to show.
    ///
    /// # Errors
    /// `NotSent`: no header takes the credential.
    pub fn headers(self) -> Result<HeaderMap, EndpointFault> {
        let text = match self {
            Self::None => return Ok(HeaderMap::new()),
            Self::Bearer(token) => Zeroizing::new(format!("Bearer {}", token.expose())),
            Self::Basic { id, secret } => basic(id, secret),
        };
        let mut value = HeaderValue::from_str(&text).map_err(|_| EndpointFault::NotSent {
            why: "the credential holds characters that no header takes".to_owned(),
        })?;
        // Left out of every Debug of the HTTP layer.
        value.set_sensitive(true);
        Ok(HeaderMap::from_iter([(AUTHORIZATION, value)]))
    }
}

/// The value of `Authorization` for client credentials: both are form-encoded first (RFC 6749
/// §2.3.1), which RFC 7617 alone does not do.
fn basic(id: &str, secret: &Secret) -> Zeroizing<String> {
    let room = 3 * (id.len() + secret.expose().len()) + 1;
    let mut pair = Zeroizing::new(Vec::with_capacity(room));
    form_text(&mut pair, id);
    pair.push(b':');
    form_text(&mut pair, secret.expose());
    let mut text = Zeroizing::new(String::with_capacity(6 + pair.len().div_ceil(3) * 4));
    text.push_str("Basic ");
    STANDARD.encode_string(&*pair, &mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::basic;
    use oam_model::secret::Secret;

    #[test]
    fn client_credentials_are_form_encoded_before_base64() {
        let text = basic("a:b", &Secret::new("c d".into()));
        // "a%3Ab:c+d"
        assert_eq!(*text, "Basic YSUzQWI6Yytk");
    }
}
