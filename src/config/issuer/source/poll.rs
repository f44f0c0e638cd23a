//! Reading `[sources.NAME.directory]`: a directory that the issuer reads itself.

use super::super::place::{absolute, needed_secret};
use super::DAY_MS;
use crate::address;
use crate::fields::{Fields, Placed};
use crate::provider::checked;
use crate::tree::{FaultCollector, shown};
use oam_model::directory::{DirectoryAdapter, DirectoryPoll, LdapDirectory, LdapDisabled};
use oam_model::principal::PrincipalKind;
use url::Url;

/// The keys that every kind has.
const COMMON: [&str; 9] = [
    "kind",
    "every",
    "within",
    "expect_every",
    "hold_percent",
    "subject",
    "group",
    "most_users",
    "ca_file",
];

/// What one kind is called, which keys it has besides, and what it usually calls people and groups.
struct AdapterForm {
    word: &'static str,
    keys: &'static [&'static str],
    subject: &'static str,
    subjects: &'static [&'static str],
    group: &'static str,
    groups: &'static [&'static str],
}

const REST: [&str; 2] = ["displayName", "id"];

const FORMS: [AdapterForm; 5] = [
    AdapterForm {
        word: "ldap",
        keys: &[
            "url",
            "start_tls",
            "bind_dn",
            "secret",
            "base",
            "filter",
            "user_name",
            "email",
            "disabled",
            "disabled_values",
            "group_base",
            "group_filter",
            "member",
        ],
        subject: "uid",
        subjects: &[],
        group: "cn",
        groups: &[],
    },
    AdapterForm {
        word: "keycloak",
        keys: &["url", "client_id", "secret"],
        subject: "id",
        subjects: &["id", "username"],
        group: "name",
        groups: &["name", "path", "id"],
    },
    AdapterForm {
        word: "okta",
        keys: &["url", "secret"],
        subject: "id",
        subjects: &["id", "login"],
        group: "name",
        groups: &["name", "id"],
    },
    AdapterForm {
        word: "entra",
        keys: &["url", "login_url", "tenant", "client_id", "secret"],
        subject: "id",
        subjects: &["id", "userPrincipalName"],
        // Names of groups are not unique there: whoever may make a group could name it like another one.
        group: "id",
        groups: &REST,
    },
    AdapterForm {
        word: "google",
        keys: &["url", "token_url", "administrator", "customer", "secret"],
        subject: "id",
        subjects: &["id", "primaryEmail"],
        group: "email",
        groups: &["email", "name", "id"],
    },
];

/// How a directory is read, where a source has one that is.
pub(super) fn read_poll(
    table: &Fields<'_>,
    kind: PrincipalKind,
    issuer: &str,
    report: &mut FaultCollector<'_>,
) -> Option<DirectoryPoll> {
    let entry = table.entry("directory")?;
    let path = table.path_of("directory");
    let every: Vec<&str> = FORMS.iter().flat_map(|form| form.keys).copied().collect();
    let known: Vec<&str> = COMMON.into_iter().chain(every).collect();
    let inner = Fields::open(&entry.node, entry.place, &path, &known, report);
    if kind == PrincipalKind::Job {
        report.add(
            entry.place,
            format!("`{}` is for people: no directory knows jobs", shown(&path)),
            "remove it, or move it to the source by which the people sign in",
        );
    }
    if table.entry("scim").is_some() {
        report.add(
            entry.place,
            format!(
                "`{}` has both `scim` and `directory`: two would speak of the same people",
                shown(&table.path)
            ),
            "keep `scim` where the provider pushes what changes, `directory` where it does not",
        );
    }
    let form = form(&inner, report)?;
    strange(&inner, form, report);
    let adapter = match form.word {
        "ldap" => ldap(&inner, report),
        "keycloak" => keycloak(&inner, issuer, report),
        "okta" => okta(&inner, issuer, report),
        "entra" => entra(&inner, issuer, report),
        _ => google(&inner, report),
    };
    let every_ms = inner.duration("every", 1_000..=DAY_MS, 5 * 60_000, report);
    let within_ms = inner.duration("within", 1_000..=DAY_MS, 10 * 60_000, report);
    let usual = (3 * every_ms).max(within_ms + every_ms);
    let subject = attribute(&inner, "subject", (form.subject, form.subjects), report);
    let group = attribute(&inner, "group", (form.group, form.groups), report);
    Some(DirectoryPoll {
        adapter: adapter?,
        every_ms,
        within_ms,
        expect_every_ms: inner.duration("expect_every", 0..=365 * DAY_MS, usual, report),
        hold_percent: inner.whole("hold_percent", 1..=100, 33, report),
        subject,
        group: Some(group).filter(|group| group != "none"),
        most_users: inner.whole("most_users", 1..=10_000_000, 200_000, report),
        ca_file: absolute(&inner, "ca_file", report),
    })
}

fn form(inner: &Fields<'_>, report: &mut FaultCollector<'_>) -> Option<&'static AdapterForm> {
    let text = inner.required("kind", report)?;
    let found = FORMS.iter().find(|form| form.word == text.value);
    if found.is_none() {
        let known: Vec<&str> = FORMS.iter().map(|form| form.word).collect();
        report.add(
            text.place,
            format!(
                "`{}` can't be `{}`",
                shown(&inner.path_of("kind")),
                shown(text.value)
            ),
            crate::suggest::advice(text.value, &known),
        );
    }
    found
}

/// A key that another kind has would do nothing, and somebody would rely on it.
fn strange(inner: &Fields<'_>, form: &AdapterForm, report: &mut FaultCollector<'_>) {
    let every = FORMS.iter().flat_map(|form| form.keys);
    let mut told: Vec<&str> = Vec::new();
    for key in every.filter(|key| !form.keys.contains(key)) {
        if let Some(entry) = inner.entry(key).filter(|_| !told.contains(key)) {
            told.push(key);
            report.add(
                entry.place,
                format!(
                    "`{}` means nothing for `{}`",
                    shown(&inner.path_of(key)),
                    form.word
                ),
                "remove the line",
            );
        }
    }
}

/// The name of an attribute; of a REST interface one of those that it has.
fn attribute(
    inner: &Fields<'_>,
    key: &str,
    (usual, known): (&str, &[&str]),
    report: &mut FaultCollector<'_>,
) -> String {
    let Some(text) = inner.text(key, report) else {
        return usual.to_owned();
    };
    let none = key == "group" && text.value == "none";
    if !none && !known.is_empty() && !known.contains(&text.value) {
        report.add(
            text.place,
            format!(
                "`{}` can't be `{}`",
                shown(&inner.path_of(key)),
                shown(text.value)
            ),
            crate::suggest::advice(text.value, known),
        );
    }
    text.value.to_owned()
}

fn usual_url(
    inner: &Fields<'_>,
    key: &str,
    usual: &str,
    report: &mut FaultCollector<'_>,
) -> Option<String> {
    if inner.entry(key).is_none() {
        return Some(usual.trim_end_matches('/').to_owned());
    }
    let read = checked(inner, key, true, address::endpoint, report)?;
    Some(read.trim_end_matches('/').to_owned())
}

fn needed(inner: &Fields<'_>, key: &str, report: &mut FaultCollector<'_>) -> Option<String> {
    inner
        .required(key, report)
        .map(|text| text.value.to_owned())
}

fn keycloak(
    inner: &Fields<'_>,
    issuer: &str,
    report: &mut FaultCollector<'_>,
) -> Option<DirectoryAdapter> {
    let url = usual_url(inner, "url", issuer, report);
    if let Some(url) = url.as_ref().filter(|url| !url.contains("/realms/")) {
        let place = inner.entry("url").map_or(inner.place, |entry| entry.place);
        report.add(
            place,
            format!("`{}` is no realm of Keycloak", shown(url)),
            "write it like `https://sso.acme.example/realms/acme`",
        );
    }
    let client_id = needed(inner, "client_id", report);
    let secret = needed_secret(inner, "secret", report);
    Some(DirectoryAdapter::Keycloak {
        url: url?,
        client_id: client_id?,
        secret: secret?,
    })
}

fn okta(
    inner: &Fields<'_>,
    issuer: &str,
    report: &mut FaultCollector<'_>,
) -> Option<DirectoryAdapter> {
    // A custom authorization server's issuer has a path; the interface has none.
    let host = Url::parse(issuer)
        .ok()
        .map(|url| url.origin().ascii_serialization());
    let url = usual_url(inner, "url", &host.unwrap_or_default(), report);
    let secret = needed_secret(inner, "secret", report);
    Some(DirectoryAdapter::Okta {
        url: url?,
        secret: secret?,
    })
}

fn entra(
    inner: &Fields<'_>,
    issuer: &str,
    report: &mut FaultCollector<'_>,
) -> Option<DirectoryAdapter> {
    let url = usual_url(inner, "url", "https://graph.microsoft.com", report);
    let login = "https://login.microsoftonline.com";
    let login_url = usual_url(inner, "login_url", login, report);
    let of_issuer = issuer
        .strip_prefix(login)
        .and_then(|rest| rest.split('/').nth(1));
    let tenant = match (inner.entry("tenant"), of_issuer) {
        (None, Some(tenant)) => Some(tenant.to_owned()),
        _ => needed(inner, "tenant", report),
    };
    let client_id = needed(inner, "client_id", report);
    let secret = needed_secret(inner, "secret", report);
    Some(DirectoryAdapter::Entra {
        url: url?,
        login_url: login_url?,
        tenant: tenant?,
        client_id: client_id?,
        secret: secret?,
    })
}

fn google(inner: &Fields<'_>, report: &mut FaultCollector<'_>) -> Option<DirectoryAdapter> {
    let url = usual_url(inner, "url", "https://admin.googleapis.com", report);
    let token = "https://oauth2.googleapis.com/token";
    let token_url = usual_url(inner, "token_url", token, report);
    let administrator = needed(inner, "administrator", report);
    let customer = inner.text("customer", report);
    let customer = customer.map_or("my_customer", |text| text.value).to_owned();
    let secret = needed_secret(inner, "secret", report);
    Some(DirectoryAdapter::Google {
        url: url?,
        token_url: token_url?,
        administrator: administrator?,
        customer,
        secret: secret?,
    })
}

fn ldap(inner: &Fields<'_>, report: &mut FaultCollector<'_>) -> Option<DirectoryAdapter> {
    let start_tls = inner.yes("start_tls", false, report);
    let url = inner.required("url", report);
    if let Some(url) = &url {
        ldap_url(inner, url, start_tls, report);
    }
    let bind_dn = needed(inner, "bind_dn", report);
    let secret = needed_secret(inner, "secret", report);
    let base = needed(inner, "base", report);
    let text = |key: &str, usual: &str, report: &mut FaultCollector<'_>| {
        let text = inner.text(key, report);
        text.map_or(usual, |text| text.value).to_owned()
    };
    let filter = text("filter", "(objectClass=inetOrgPerson)", report);
    let group_filter = text("group_filter", "(objectClass=groupOfNames)", report);
    let user_name = text("user_name", "uid", report);
    let email = text("email", "mail", report);
    let member = text("member", "member", report);
    let disabled = disabled(inner, report);
    let base = base?;
    let group_base = text("group_base", &base, report);
    Some(DirectoryAdapter::Ldap(Box::new(LdapDirectory {
        url: url?.value.to_owned(),
        start_tls,
        bind_dn: bind_dn?,
        secret: secret?,
        base,
        filter,
        user_name,
        email,
        disabled,
        group_base,
        group_filter,
        member,
    })))
}

fn disabled(inner: &Fields<'_>, report: &mut FaultCollector<'_>) -> LdapDisabled {
    let name = inner.text("disabled", report);
    let name = name.map_or("pwdAccountLockedTime", |text| text.value);
    let values = inner.texts("disabled_values", report);
    let values = values.map_or_else(Vec::new, |texts| texts.value);
    if name.eq_ignore_ascii_case("userAccountControl") {
        return LdapDisabled::UserAccountControl;
    }
    LdapDisabled::Attribute {
        name: name.to_owned(),
        values: values.iter().map(|text| text.value.to_owned()).collect(),
    }
}

/// What is read ends accounts, and the password goes first: nobody on the way may see or change it.
fn ldap_url(
    inner: &Fields<'_>,
    text: &Placed<&str>,
    start_tls: bool,
    report: &mut FaultCollector<'_>,
) {
    let path = inner.path_of("url");
    let parsed = Url::parse(text.value).ok();
    let host = parsed.as_ref().and_then(Url::host_str).unwrap_or_default();
    let loopback = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    let what = match parsed.as_ref().map(Url::scheme) {
        Some("ldaps") if start_tls => "is TLS from the start, and `start_tls` is for `ldap://`",
        Some("ldaps") if !host.is_empty() => return,
        Some("ldap") if !host.is_empty() && (start_tls || loopback) => return,
        Some("ldap") if !host.is_empty() => "is open to whoever is on the way",
        _ => "is no address of an LDAP server",
    };
    report.add(
        text.place,
        format!("`{}` {what}", shown(&path)),
        "write it like `ldaps://ldap.acme.example`, or add start_tls = true",
    );
}
