//! Links in an answer's headers: those of the hub lead through the gateway.

use crate::forward::Gateway;
use crate::source::Target;
use http::header::{LINK, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue};

impl Gateway {
    /// Leads the hub's own links in a header through the gateway; other links are left as they are, without a token.
    pub(crate) fn lead_through(&self, headers: &mut HeaderMap, name: &HeaderName, target: &Target) {
        let values: Vec<HeaderValue> = headers.get_all(name).iter().cloned().collect();
        if values.is_empty() {
            return;
        }
        headers.remove(name);
        for value in values {
            let text = value.to_str().unwrap_or_default();
            let led = if *name == LINK {
                self.led_list(text, target)
            } else {
                self.led(text, target)
            };
            // To a store, usually with a signature.
            if *name == LOCATION && self.hub.is_elsewhere(text) {
                self.counts.handed_out(None);
            }
            if let Ok(value) = HeaderValue::from_str(&led) {
                headers.append(name, value);
            }
        }
    }

    fn led(&self, link: &str, target: &Target) -> String {
        if let Some(path) = self.hub.back(link) {
            return format!("{}{path}", self.address());
        }
        match (self.hub.own(link), &target.repository) {
            (Some(at_hub), Some(repository)) => {
                format!(
                    "{}{}",
                    self.address(),
                    self.links.sign(repository, target.operation, &at_hub)
                )
            }
            _ => link.to_owned(),
        }
    }

    /// `<https://hub/…>; rel="next", <…>` (RFC 8288).
    fn led_list(&self, text: &str, target: &Target) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('<') {
            let Some((link, after)) = behind.split_once('>') else {
                break;
            };
            out.push_str(before);
            out.push('<');
            out.push_str(&self.led(link, target));
            out.push('>');
            rest = after;
        }
        out.push_str(rest);
        out
    }
}
