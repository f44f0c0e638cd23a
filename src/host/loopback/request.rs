//! What the browser asked, judged.

use oam_model::secret::Secret;

/// What the provider sent back with the right `state`.
pub struct Callback {
    /// The authorization code.
    pub code: Option<Secret>,
    /// The error code (RFC 6749 §4.1.2.1), as it came.
    pub error: Option<String>,
    /// The issuer (RFC 9207), as it came.
    pub iss: Option<String>,
}

/// What a right request looks like.
pub(super) struct ExpectedCallback {
    pub(super) host: String,
    pub(super) path: String,
    pub(super) state: Secret,
}

/// The verdict on one request.
pub(super) enum CallbackVerdict {
    /// The answer that was waited for.
    Callback(Callback),
    /// The right path without the right `state`.
    WrongState,
    /// Anything else: status and sentence.
    Refused(u16, &'static str),
}

impl ExpectedCallback {
    /// Judges a request head. Order: is it HTTP, for this host, a GET, for this path, once each.
    pub(super) fn judge(&self, head: &[u8]) -> CallbackVerdict {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut headers);
        if !matches!(request.parse(head), Ok(httparse::Status::Complete(_))) {
            return CallbackVerdict::Refused(400, "This is not a request that a sign-in makes.");
        }
        // DNS rebinding: another name that resolves to 127.0.0.1 must get nothing.
        let mut hosts = request
            .headers
            .iter()
            .filter(|h| h.name.eq_ignore_ascii_case("host"));
        let host = hosts.next().map(|h| h.value);
        if host != Some(self.host.as_bytes()) || hosts.next().is_some() {
            return CallbackVerdict::Refused(400, "The request is for another host.");
        }
        let Some(target) = request.path else {
            return CallbackVerdict::Refused(400, "This is not a request that a sign-in makes.");
        };
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if path != self.path {
            return CallbackVerdict::Refused(404, "There is nothing here.");
        }
        if request.method != Some("GET") {
            return CallbackVerdict::Refused(405, "Only GET is understood here.");
        }
        self.callback(query)
    }

    fn callback(&self, query: &str) -> CallbackVerdict {
        let mut known: [Option<Secret>; 4] = [None, None, None, None];
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let at = match &*name {
                "state" => 0,
                "code" => 1,
                "error" => 2,
                "iss" => 3,
                _ => continue,
            };
            // RFC 6749 §3.1: parameters must not be repeated; two readers could take different ones.
            if known[at].replace(Secret::new(value.into_owned())).is_some() {
                return CallbackVerdict::Refused(400, "A parameter of this answer is there twice.");
            }
        }
        let [state, code, error, iss] = known;
        if !state.is_some_and(|s| s.matches(&self.state)) {
            return CallbackVerdict::WrongState;
        }
        let text = |s: Secret| s.expose().to_owned();
        CallbackVerdict::Callback(Callback {
            code: code.filter(|c| !c.is_empty()),
            error: error.map(text),
            iss: iss.map(text),
        })
    }
}
