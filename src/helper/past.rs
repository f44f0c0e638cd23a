//! Which of a person's own settings of git lead past the gateway. git applies the longest prefix among all `insteadOf`, and
//! of equal ones the first that it reads; the gateway's, which come by variables, it reads last.

/// What git is asked for: `git config -z --get-regexp PATTERN`. Its names of variables are in small letters.
pub const PATTERN: &str = r"^(url\..*\.(push)?insteadof|remote\..*\.(push)?url)$";

/// The settings of git's `listing` that lead past the gateway of this hub, for people: never a password.
pub fn settings(listing: &[u8], hub_url: &str) -> Vec<String> {
    let listing = String::from_utf8_lossy(listing);
    let entries = listing
        .split('\0')
        .filter_map(|entry| entry.split_once('\n'));
    let mut found = Vec::new();
    for (key, value) in entries {
        let told = rule(key, value, hub_url).or_else(|| remote(key, value, hub_url));
        found.extend(told.filter(|told| !found.contains(told)));
    }
    found
}

/// A rule that wins over the gateway's, or whose outcome is the hub: git rewrites an address once.
fn rule(key: &str, value: &str, hub_url: &str) -> Option<String> {
    let (base, variable) = key.strip_prefix("url.")?.rsplit_once('.')?;
    let variable = match variable {
        "insteadof" => "insteadOf",
        "pushinsteadof" => "pushInsteadOf",
        _ => return None,
    };
    let past = is_below(value, hub_url) || host(base) == host(hub_url);
    past.then(|| format!("{variable} = {}", without_user(value)))
}

/// A remote at the hub's host that no prefix of the gateway's fits: by ssh, or with a user's name in it.
fn remote(key: &str, value: &str, hub_url: &str) -> Option<String> {
    let (named, variable) = key.strip_prefix("remote.")?.rsplit_once('.')?;
    let leads = matches!(variable, "url" | "pushurl");
    let past = leads && host(value) == host(hub_url) && !is_below(value, hub_url);
    past.then(|| format!("remote {named}"))
}

/// Whether an address, or the prefix of one, begins with the one that the gateway stands for.
fn is_below(address: &str, hub_url: &str) -> bool {
    let rest = address.strip_prefix(hub_url);
    rest.is_some_and(|rest| rest.starts_with('/'))
}

/// The host of a URL or of `user@host:path`, in small letters and without its port.
fn host(address: &str) -> Option<String> {
    let place = match address.split_once("://") {
        Some((_, rest)) => rest.split('/').next()?,
        None => address.split_once(':')?.0,
    };
    let name = place.rsplit('@').next()?;
    let name = name.split(':').next()?;
    (!name.is_empty() && !name.contains('/')).then(|| name.to_ascii_lowercase())
}

fn without_user(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else {
        return address.to_owned();
    };
    let length = rest.find('/').unwrap_or(rest.len());
    match rest[..length].rfind('@') {
        Some(at) => format!("{scheme}://…{}", &rest[at..]),
        None => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::settings;

    const HUB: &str = "https://hub.example";

    #[test]
    fn what_wins_over_the_gateway_or_does_not_fit_it_is_told() {
        for (key, value, told) in [
            // Of equal length and longer: git takes the person's.
            (
                "url.git@hub.example:.insteadof",
                "https://hub.example/",
                "insteadOf = https://hub.example/",
            ),
            (
                "url.ssh://git@hub.example/.insteadof",
                "https://hub.example/acme/",
                "insteadOf = https://hub.example/acme/",
            ),
            (
                "url.https://mirror.example/.insteadof",
                "https://hub.example/acme/",
                "insteadOf = https://hub.example/acme/",
            ),
            (
                "url.git@hub.example:.pushinsteadof",
                "https://hub.example/",
                "pushInsteadOf = https://hub.example/",
            ),
            // A short form of the hub's addresses, which is not rewritten once more.
            (
                "url.https://hub.example/acme/.insteadof",
                "work:",
                "insteadOf = work:",
            ),
            (
                "url.https://hub.example/.insteadof",
                "https://ada:s3cret@old.example/x@y",
                "insteadOf = https://…@old.example/x@y",
            ),
            (
                "remote.origin.url",
                "git@hub.example:acme/model",
                "remote origin",
            ),
            (
                "remote.a.b.url",
                "ssh://git@HUB.example:22/acme/model",
                "remote a.b",
            ),
            (
                "remote.origin.url",
                "https://ada:s3cret@hub.example/acme/model",
                "remote origin",
            ),
            (
                "remote.origin.pushurl",
                "https://hub.example:443/acme/model",
                "remote origin",
            ),
        ] {
            let listing = format!("{key}\n{value}\0");
            assert_eq!(settings(listing.as_bytes(), HUB), [told], "{key} {value}");
        }
    }

    #[test]
    fn what_the_gateway_serves_and_what_is_of_other_hosts_is_not() {
        for (key, value) in [
            ("url.git@other.example:.insteadof", "https://other.example/"),
            // Shorter: the gateway's is taken.
            ("url.https://proxy.example/.insteadof", "https://"),
            ("url.git@other.example:.insteadof", "https://hub.example"),
            (
                "url.git@other.example:.insteadof",
                "https://hub.example.org/",
            ),
            ("remote.origin.url", "https://hub.example/acme/model"),
            ("remote.origin.url", "https://hub.example.org/acme/model"),
            ("remote.origin.url", "/srv/hub.example:x/model"),
            ("remote.origin.url", "../model"),
            ("remote.origin.fetch", "hub.example:x"),
            ("url.x", ""),
        ] {
            let listing = format!("{key}\n{value}\0");
            let none: [&str; 0] = [];
            assert_eq!(settings(listing.as_bytes(), HUB), none, "{key} {value}");
        }
        let twice = "remote.o.url\nhub.example:a\0remote.o.pushurl\nhub.example:b\0\0nothing";
        assert_eq!(settings(twice.as_bytes(), HUB), ["remote o"]);
    }
}
