//! Which variables a child of `oam exec` gets, and which it must not have.

/// A change of one variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvChange {
    /// Set to this text, which is no secret.
    Set(String, String),
    /// Set to the token. The token itself is not in here, so that this list can be shown.
    SetToken(String),
    /// Removed.
    Remove(String),
}

/// What a hub's tools read. `GIT_ASKPASS` and `SSH_ASKPASS` are considered and left (R22): git asks
/// its credential helpers first and stops when ours refuses, and the hosts that are not ours still need them.
struct Kind {
    word: &'static str,
    /// Variables that would win over ours, or would make the tool exchange a token by itself.
    rivals: &'static [&'static str],
    /// The variable that names the hub, and what it holds.
    place: Option<(&'static str, Holds)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// The hub's URL; unset means this public one, so then it is removed: an inherited value would
    /// send the token to another host (promise 5).
    UrlUnless(&'static str),
    /// The hub's host and port.
    Host,
}

const KINDS: &[Kind] = &[
    Kind {
        word: "huggingface",
        rivals: &[
            "HF_TOKEN",
            "HUGGING_FACE_HUB_TOKEN",
            "HF_OIDC_RESOURCE",
            "HF_OIDC_ID_TOKEN",
            "HF_HUB_DISABLE_IMPLICIT_TOKEN",
        ],
        place: Some(("HF_ENDPOINT", Holds::UrlUnless("https://huggingface.co"))),
    },
    Kind {
        word: "github",
        rivals: &[
            "GH_TOKEN",
            "GITHUB_TOKEN",
            "GH_ENTERPRISE_TOKEN",
            "GITHUB_ENTERPRISE_TOKEN",
        ],
        place: Some(("GH_HOST", Holds::Host)),
    },
    Kind {
        word: "gitlab",
        rivals: &["GITLAB_TOKEN", "GITLAB_ACCESS_TOKEN", "OAUTH_TOKEN"],
        place: Some(("GITLAB_HOST", Holds::Host)),
    },
];

/// The variable with the path of the token file for scripts of hubs that have none of their own.
pub const FILE: &str = "OAM_TOKEN_FILE";

/// Whether the tools of this kind of hub read the token file, so that a renewal reaches a running child.
pub fn reads_file(kind: &str) -> bool {
    kind == "huggingface"
}

/// The changes, in the order in which they are to be made: removals first.
///
/// `variables` are the hub's as configured; a name that is none is left out.
pub fn changes(kind: &str, hub_url: &str, file: &str, variables: &[String]) -> Vec<EnvChange> {
    let mut list = Vec::new();
    if let Some(kind) = KINDS.iter().find(|row| row.word == kind) {
        list.extend(
            kind.rivals
                .iter()
                .map(|name| EnvChange::Remove((*name).to_owned())),
        );
        list.extend(kind.place.map(|(name, holds)| place(name, holds, hub_url)));
    }
    list.push(EnvChange::Set("OAM_EXEC".to_owned(), "1".to_owned()));
    let file_variable = if reads_file(kind) {
        "HF_TOKEN_PATH"
    } else {
        FILE
    };
    list.push(EnvChange::Set(file_variable.to_owned(), file.to_owned()));
    let names = variables.iter().filter(|name| is_variable(name));
    list.extend(names.map(|name| EnvChange::SetToken(name.clone())));
    list
}

/// Where git is told of settings by variables: how many there are.
const GIT_COUNT: &str = "GIT_CONFIG_COUNT";

/// The changes that make git ask `helper` for the tokens of this hub, for one command and without a
/// file. `there` is the inherited `GIT_COUNT`: what somebody else set that way stays.
///
/// The first, empty helper resets inherited ones: they would be handed a copy of the token. For
/// GitHub the `Authorization` header goes that a checkout leaves in the repository's settings, because it would
/// go out besides ours.
pub fn git_changes(kind: &str, hub_url: &str, helper: &str, there: Option<&str>) -> Vec<EnvChange> {
    let key = format!("credential.{hub_url}.helper");
    let mut settings = vec![(key.clone(), ""), (key, helper)];
    // A hub below a path is told from its neighbours by the path alone.
    if hub_url.splitn(4, '/').count() == 4 {
        settings.push((format!("credential.{hub_url}.useHttpPath"), "true"));
    }
    if kind == "github" {
        settings.push((format!("http.{hub_url}/.extraheader"), ""));
    }
    git_settings(settings, there)
}

/// Settings of git for one command, behind those that somebody else set that way.
fn git_settings(settings: Vec<(String, &str)>, there: Option<&str>) -> Vec<EnvChange> {
    let first: usize = there.and_then(|count| count.parse().ok()).unwrap_or(0);
    let mut list = vec![EnvChange::Set(
        GIT_COUNT.to_owned(),
        first.saturating_add(settings.len()).to_string(),
    )];
    for (at, (key, value)) in (first..).zip(settings) {
        list.push(EnvChange::Set(format!("GIT_CONFIG_KEY_{at}"), key));
        list.push(EnvChange::Set(
            format!("GIT_CONFIG_VALUE_{at}"),
            value.to_owned(),
        ));
    }
    list
}

/// The variable with the gateway's capability, for git's helper.
pub const GATEWAY: &str = "OAM_GATEWAY";

/// Hands git the capability from the environment: built-ins of the shell alone, so it stands in no argument.
const GATEWAY_HELPER: &str =
    "!f() { test \"$1\" = get && printf 'username=oam\\npassword=%s\\n' \"$OAM_GATEWAY\"; }; f";

/// Whether a gateway serves all that a child does with a hub of this kind. The tools of the others have the public
/// service's address built in, and know a variable alone.
pub fn takes_gateway(kind: &str, hub_url: &str, variables: &[String]) -> bool {
    // Hub clients compare the addresses in answers with the hub's: below a path they read them only with its own.
    let below_a_path = hub_url.splitn(4, '/').count() == 4;
    let kind = kind == "git" || (kind == "huggingface" && !below_a_path);
    kind && variables.is_empty()
}

/// What of the environment is kept when the gateway's variables are added to it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Inherited<'a> {
    /// [`GIT_CONFIG_COUNT`](git_changes).
    pub git_count: Option<&'a str>,
    /// Hosts that are reached without a proxy.
    pub no_proxy: Option<&'a str>,
}

/// The changes that lead a child's requests for this hub through the gateway at `gateway` (`http://127.0.0.1:PORT`).
/// [`EnvChange::SetToken`] stands for the capability here.
pub fn gateway_changes(
    kind: &str,
    hub_url: &str,
    gateway: &str,
    there: Inherited<'_>,
) -> Vec<EnvChange> {
    let mut list = Vec::new();
    if let Some(row) = KINDS.iter().find(|row| row.word == kind) {
        let rivals = row.rivals.iter().map(|name| (*name).to_owned());
        list.extend(rivals.map(EnvChange::Remove));
    }
    list.push(EnvChange::Set("OAM_EXEC".to_owned(), "1".to_owned()));
    list.push(EnvChange::SetToken(GATEWAY.to_owned()));
    if reads_file(kind) {
        list.push(EnvChange::Remove("HF_TOKEN_PATH".to_owned()));
        list.push(EnvChange::Set("HF_ENDPOINT".to_owned(), gateway.to_owned()));
        list.push(EnvChange::SetToken("HF_TOKEN".to_owned()));
    }
    let direct = match there.no_proxy {
        Some(hosts) if !hosts.is_empty() => format!("{hosts},127.0.0.1"),
        _ => "127.0.0.1".to_owned(),
    };
    for name in ["NO_PROXY", "no_proxy"] {
        list.push(EnvChange::Set(name.to_owned(), direct.clone()));
    }
    let helper = format!("credential.{gateway}.helper");
    let hub = format!("{hub_url}/");
    let settings = vec![
        (format!("url.{gateway}/.insteadOf"), hub.as_str()),
        // Against shorter ones of the person's, for which the line above does not count.
        (format!("url.{gateway}/.pushInsteadOf"), hub.as_str()),
        (helper.clone(), ""),
        (helper, GATEWAY_HELPER),
        // Whatever a checkout or a person has set for all hosts is not for this one.
        (format!("http.{gateway}/.extraHeader"), ""),
        // What git-lfs would find out and write into the repository's settings.
        (format!("lfs.{gateway}/.access"), "basic"),
        (format!("lfs.{gateway}/.locksverify"), "true"),
    ];
    list.extend(git_settings(settings, there.git_count));
    list
}

fn place(name: &str, holds: Holds, hub_url: &str) -> EnvChange {
    let value = match holds {
        Holds::UrlUnless(public) if public == hub_url => return EnvChange::Remove(name.to_owned()),
        Holds::UrlUnless(_) => hub_url,
        Holds::Host => {
            let rest = hub_url.split_once("://").map_or(hub_url, |(_, rest)| rest);
            rest.split('/').next().unwrap_or(rest)
        }
    };
    EnvChange::Set(name.to_owned(), value.to_owned())
}

/// Whether text can name a variable.
pub fn is_variable(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    !name.is_empty() && name.bytes().all(plain) && !name.as_bytes()[0].is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::{EnvChange, Inherited, changes, gateway_changes, git_changes, takes_gateway};

    fn set(name: &str, value: &str) -> EnvChange {
        EnvChange::Set(name.into(), value.into())
    }

    fn removed(name: &str) -> EnvChange {
        EnvChange::Remove(name.into())
    }

    #[test]
    fn hugging_face_tools_get_a_file_and_nothing_that_wins_over_it() {
        let list = changes(
            "huggingface",
            "https://hub.acme.example",
            "/run/f/token",
            &[],
        );
        assert!(list.contains(&set("HF_TOKEN_PATH", "/run/f/token")));
        assert!(list.contains(&set("HF_ENDPOINT", "https://hub.acme.example")));
        assert!(list.contains(&set("OAM_EXEC", "1")));
        for name in [
            "HF_TOKEN",
            "HUGGING_FACE_HUB_TOKEN",
            "HF_OIDC_RESOURCE",
            "HF_OIDC_ID_TOKEN",
            "HF_HUB_DISABLE_IMPLICIT_TOKEN",
        ] {
            assert!(list.contains(&removed(name)), "{name}");
        }
        assert!(!list.iter().any(|c| matches!(c, EnvChange::SetToken(_))));
    }

    #[test]
    fn behind_a_gateway_there_is_a_capability_in_place_of_a_token_and_git_asks_nobody_else() {
        let there = Inherited {
            git_count: Some("1"),
            no_proxy: Some("intra.example"),
        };
        let gateway = "http://127.0.0.1:4711";
        let list = gateway_changes("huggingface", "https://hub.example", gateway, there);
        let at = |wanted: EnvChange| list.iter().position(|change| *change == wanted);
        // A person's own token goes before the capability takes its name.
        let own = at(removed("HF_TOKEN"));
        assert!(own.is_some() && own < at(EnvChange::SetToken("HF_TOKEN".into())));
        assert!(list.contains(&removed("HF_TOKEN_PATH")));
        assert!(list.contains(&set("HF_ENDPOINT", gateway)));
        for name in ["NO_PROXY", "no_proxy"] {
            assert!(list.contains(&set(name, "intra.example,127.0.0.1")));
        }
        let helper = format!("credential.{gateway}.helper");
        let keys = [
            ("GIT_CONFIG_KEY_1", format!("url.{gateway}/.insteadOf")),
            ("GIT_CONFIG_KEY_2", format!("url.{gateway}/.pushInsteadOf")),
            ("GIT_CONFIG_KEY_3", helper.clone()),
            ("GIT_CONFIG_KEY_4", helper),
        ];
        for (name, key) in keys {
            assert!(list.contains(&set(name, &key)), "{key}");
        }
        assert!(list.contains(&set("GIT_CONFIG_VALUE_1", "https://hub.example/")));
        assert!(
            list.contains(&set("GIT_CONFIG_VALUE_3", "")),
            "inherited helpers are reset"
        );
        let shown = format!("{list:?}");
        assert!(
            !shown.contains("password=$"),
            "the capability stands in no setting"
        );
        let (hub, below) = ("https://hub.example", "https://hub.example/api/hf");
        assert!(
            takes_gateway("huggingface", hub, &[]) && !takes_gateway("huggingface", below, &[])
        );
        assert!(takes_gateway("git", below, &[]) && !takes_gateway("git", hub, &["X".into()]));
        assert!(!takes_gateway("github", hub, &[]));
    }

    #[test]
    fn an_inherited_endpoint_never_takes_the_public_hubs_token() {
        let list = changes("huggingface", "https://huggingface.co", "/f", &[]);
        assert!(list.contains(&removed("HF_ENDPOINT")));
    }

    #[test]
    fn a_tool_that_knows_a_variable_gets_it_and_its_rivals_go_first() {
        let list = changes(
            "github",
            "https://git.acme.example",
            "/f",
            &["GH_TOKEN".into()],
        );
        let at = |wanted: &EnvChange| list.iter().position(|c| c == wanted);
        let (gone, given) = (
            at(&removed("GH_TOKEN")),
            at(&EnvChange::SetToken("GH_TOKEN".into())),
        );
        assert!(gone.is_some() && gone < given);
        assert!(list.contains(&removed("GITHUB_TOKEN")));
        // Without it the tool would send the token to the public host.
        assert!(list.contains(&set("GH_HOST", "git.acme.example")));
    }

    #[test]
    fn git_asks_our_helper_alone_and_what_was_set_before_stays() {
        let list = git_changes("git", "https://git.example", "!exec /b/h", Some("2"));
        assert_eq!(
            list,
            [
                set("GIT_CONFIG_COUNT", "4"),
                set("GIT_CONFIG_KEY_2", "credential.https://git.example.helper"),
                set("GIT_CONFIG_VALUE_2", ""),
                set("GIT_CONFIG_KEY_3", "credential.https://git.example.helper"),
                set("GIT_CONFIG_VALUE_3", "!exec /b/h"),
            ]
        );
        let list = git_changes("huggingface", "https://acme.example/api/hf", "h", None);
        assert!(list.contains(&set(
            "GIT_CONFIG_KEY_2",
            "credential.https://acme.example/api/hf.useHttpPath"
        )));
        let list = git_changes("github", "https://github.com", "h", Some("odd"));
        assert_eq!(list[0], set("GIT_CONFIG_COUNT", "3"));
        assert!(list.contains(&set(
            "GIT_CONFIG_KEY_2",
            "http.https://github.com/.extraheader"
        )));
    }

    #[test]
    fn other_hubs_get_the_file_and_odd_names_are_left_out() {
        let list = changes(
            "git",
            "https://git.example",
            "/f",
            &["A=B".into(), "1X".into()],
        );
        assert!(list.contains(&set("OAM_TOKEN_FILE", "/f")));
        assert!(!list.iter().any(|c| matches!(c, EnvChange::SetToken(_))));
    }
}
