//! How the issuers of each kind look. Addresses come without a final slash.

pub(super) const fn always(_: &str) -> bool {
    true
}

pub(super) const fn never(_: &str) -> bool {
    false
}

pub(super) fn is_github(issuer: &str) -> bool {
    let host = issuer.strip_prefix("https://").unwrap_or(issuer);
    let host = host.split('/').next().unwrap_or(host);
    host == "token.actions.githubusercontent.com"
        || (host.starts_with("token.actions.") && host.ends_with(".ghe.com"))
        || issuer.ends_with("/_services/token")
}

/// What stands between the two, when it is one segment.
fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    let inner = text.strip_prefix(before)?.strip_suffix(after)?;
    (!inner.is_empty() && !inner.contains('/')).then_some(inner)
}

pub(super) fn is_bitbucket(issuer: &str) -> bool {
    let before = "https://api.bitbucket.org/2.0/workspaces/";
    between(issuer, before, "/pipelines-config/identity/oidc").is_some()
}

pub(super) fn is_circleci(issuer: &str) -> bool {
    between(issuer, "https://oidc.circleci.com/org/", "").is_some()
}

pub(super) fn is_hcp_terraform(issuer: &str) -> bool {
    ["https://app.terraform.io", "https://app.eu.terraform.io"].contains(&issuer)
}

pub(super) fn is_aws(issuer: &str) -> bool {
    between(issuer, "https://", ".tokens.sts.global.api.aws").is_some()
}

pub(super) fn is_azure(issuer: &str) -> bool {
    between(issuer, "https://login.microsoftonline.com/", "/v2.0").is_some()
        || between(issuer, "https://sts.windows.net/", "").is_some()
}

pub(super) fn is_vercel(issuer: &str) -> bool {
    issuer == "https://oidc.vercel.com" || between(issuer, "https://oidc.vercel.com/", "").is_some()
}
