//! Reading an organization's identity provider.

use super::address::{self, AddressFault};
use super::agent::Provider;
use super::fields::{Fields, Placed, names, text_of};
use super::tree::{FaultCollector, shown};
use oam_model::organization::Reauth;
use std::collections::BTreeMap;

/// Authorization parameters that the sign-in sets itself (RFC 6749 §4.1.1, RFC 7636, OIDC
/// Core §3.1.2.1). Set from outside, they would switch off what protects the sign-in.
const OWN_PARAMETERS: [&str; 15] = [
    "response_type",
    "response_mode",
    "client_id",
    "client_secret",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "code",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "grant_type",
    "request",
    "request_uri",
];

/// Reads the keys of `[orgs.NAME]` that are about its identity provider. Where an issuer publishes the set-up,
/// it says whether people may sign in by device code.
pub(super) fn read_provider(
    org: &Fields<'_>,
    published: bool,
    report: &mut FaultCollector<'_>,
) -> Option<Provider> {
    let issuer = checked(org, "issuer", true, address::issuer, report);
    let client_id = org.required("client_id", report);
    let scopes = scopes(org, report);
    let extra = extra(org, report);
    let redirect_port = org.port("redirect_port", report);
    let redirect_path = redirect_path(org, report);
    let groups_claim = org.text("groups_claim", report);
    let ca_file = whole_path(org, "ca_file", report);
    let proxy = checked(org, "proxy", false, address::proxy, report);
    let proxy_auth_file = whole_path(org, "proxy_auth_file", report);
    needs_proxy(org, report);
    let reauth = reauth(org, issuer.as_deref().unwrap_or_default(), report);
    let device_endpoint = checked(
        org,
        "device_authorization_endpoint",
        false,
        address::endpoint,
        report,
    );
    Some(Provider {
        issuer: issuer?,
        client_id: client_id?.value.to_owned(),
        scopes,
        extra,
        redirect_port,
        redirect_path,
        groups_claim: groups_claim.map_or("groups", |t| t.value).to_owned(),
        reauth,
        device: org.yes("device", !published, report),
        device_authorization_endpoint: device_endpoint,
        ca_file,
        ca_sha256: None,
        proxy,
        proxy_auth_file,
        environment: None,
    })
}

/// How a new authentication is asked for at the provider with this issuer.
pub(super) fn reauth(table: &Fields<'_>, issuer: &str, report: &mut FaultCollector<'_>) -> Reauth {
    let ways = [Reauth::MaxAge, Reauth::Prompt, Reauth::None];
    let words = ways.map(|way| (way.word(), way));
    table.choice("reauth", &words, Reauth::usual(issuer), report)
}

/// A URL that passes `check`, kept as written.
pub(super) fn checked(
    table: &Fields<'_>,
    key: &str,
    required: bool,
    check: fn(&str) -> Result<(), AddressFault>,
    report: &mut FaultCollector<'_>,
) -> Option<String> {
    let text = if required {
        table.required(key, report)
    } else {
        table.text(key, report)
    }?;
    match check(text.value) {
        Ok(()) => Some(text.value.to_owned()),
        Err(fault) => {
            let path = table.path_of(key);
            report.add(
                text.place,
                format!("`{}` {}", shown(&path), fault.what),
                fault.next,
            );
            None
        }
    }
}

/// Scopes as written, with `openid` in front when it is not among them: without it no provider
/// sends an ID token.
pub(super) fn scopes(org: &Fields<'_>, report: &mut FaultCollector<'_>) -> Vec<String> {
    let written = org.texts("scopes", report);
    let Some(Placed { value, .. }) = written else {
        return ["openid", "offline_access", "profile", "email"]
            .map(str::to_owned)
            .to_vec();
    };
    let mut scopes: Vec<String> = Vec::new();
    if value.iter().all(|scope| scope.value != "openid") {
        scopes.push("openid".to_owned());
    }
    for scope in value {
        // RFC 6749 §3.3: a scope token has no blanks, quotes or backslashes.
        let token = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\\');
        if !scope.value.chars().all(token) {
            report.add(
                scope.place,
                format!("`{}` is not a scope", shown(scope.value)),
                "write one scope a text: [\"openid\", \"offline_access\"]",
            );
        }
        scopes.push(scope.value.to_owned());
    }
    scopes
}

pub(super) fn extra(org: &Fields<'_>, report: &mut FaultCollector<'_>) -> BTreeMap<String, String> {
    let Some(entry) = org.entry("extra") else {
        return BTreeMap::new();
    };
    let path = org.path_of("extra");
    let mut extra = BTreeMap::new();
    for parameter in names(&entry.node, &path, report) {
        let name = parameter.key.as_str();
        if OWN_PARAMETERS.contains(&name) {
            report.add(
                parameter.place,
                format!("`{}` can't set `{name}`: the sign-in sets it", shown(&path)),
                "remove the line; `scopes`, `client_id` and `redirect_path` have keys of their own",
            );
        }
        let value = text_of(
            &parameter.node,
            &format!("{path}.{}", parameter.key),
            report,
        );
        if let Some(value) = value {
            extra.insert(name.to_owned(), value.value.to_owned());
        }
    }
    extra
}

pub(super) fn redirect_path(org: &Fields<'_>, report: &mut FaultCollector<'_>) -> String {
    let Some(text) = org.text("redirect_path", report) else {
        return "/callback".to_owned();
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.' | '~');
    let path = text.value;
    let odd = path.split('/').skip(1).any(|s| s == "." || s == "..") || path.starts_with("//");
    if !path.starts_with('/') || !path.chars().all(plain) || odd {
        report.add(
            text.place,
            format!(
                "`{}` is not a plain path",
                shown(&org.path_of("redirect_path"))
            ),
            "write it like `/callback`, as registered at the identity provider",
        );
    }
    path.to_owned()
}

pub(super) fn whole_path(
    org: &Fields<'_>,
    key: &str,
    report: &mut FaultCollector<'_>,
) -> Option<String> {
    let text = org.text(key, report)?;
    if !std::path::Path::new(text.value).is_absolute() {
        report.add(
            text.place,
            format!("`{}` is not an absolute path", shown(&org.path_of(key))),
            "write the whole path from the root: OAM has no folder of its own to start from",
        );
    }
    Some(text.value.to_owned())
}

/// A user name and password for no proxy would never be sent, and whoever wrote them believes that they are.
pub(super) fn needs_proxy(table: &Fields<'_>, report: &mut FaultCollector<'_>) {
    if let (Some(entry), None) = (table.entry("proxy_auth_file"), table.entry("proxy")) {
        let path = table.path_of("proxy_auth_file");
        report.add(
            entry.place,
            format!("`{}` is for a proxy, and none is named", shown(&path)),
            "name it as `proxy`, or take this out",
        );
    }
}
