//! `oam demo --keep`: what to try by hand.

use super::scenario::Scenario;
use super::seed::{HUB, REPOSITORY};

impl Scenario<'_> {
    /// Prints how to get into the private home and what to try there.
    pub fn invite(&mut self) {
        let folder = self.programs.folder().display().to_string();
        self.reporter.done("everything is up; in another terminal:");
        self.reporter.line("");
        for (name, value) in self.programs.environment() {
            if name != "PATH" && name != "LC_ALL" {
                self.reporter
                    .line(&format!("export {name}={}", quoted(value)));
            }
        }
        self.reporter
            .line(&format!("export PATH={}:\"$PATH\"", quoted(&folder)));
        self.reporter
            .line("unset http_proxy HTTP_PROXY all_proxy ALL_PROXY");
        self.reporter.line(&format!(
            "cd {}",
            quoted(&self.home.work().display().to_string())
        ));
        for (text, command) in ideas(&self.world.provider, &self.world.hub, &self.url()) {
            self.reporter.line("");
            self.reporter.line(&format!("# {text}"));
            self.reporter.line(&command);
        }
        self.reporter.line("");
        self.reporter
            .line("Ctrl-C here ends it all and deletes the private home.");
    }
}

/// What to try, and how.
fn ideas(provider: &str, hub: &str, url: &str) -> [(&'static str, String); 10] {
    let again = "cd again && git commit --allow-empty -m try && git push && cd ..";
    let issuer = "oam-issuer --config ../company/issuer.toml";
    // By curl's standard input: arguments are public, and a token is a secret.
    let header = format!(
        r#"printf 'header = "Authorization: Bearer %s"' "$(oam token --hub {HUB} --repo {REPOSITORY})""#
    );
    [
        (
            "who is signed in, which tokens are out",
            "oam status".to_owned(),
        ),
        (
            "clone and push with nothing but git",
            format!("git clone {url} again && {again}"),
        ),
        (
            "which role would serve, and why",
            format!("oam why {url} --write"),
        ),
        (
            "a child whose token file stays fresh",
            format!("oam exec --hub {HUB} --repo {REPOSITORY} -- sh -c 'ls -l \"$HF_TOKEN_PATH\"'"),
        ),
        (
            "the hub says who the token is",
            format!("{header} | curl -K - {hub}/api/whoami-v2"),
        ),
        (
            "every answer has its record",
            "oam log && oam log --verify".to_owned(),
        ),
        (
            "the organization's own record of it",
            format!("{issuer} audit tail && {issuer} audit verify"),
        ),
        (
            "what the policy says, and why",
            format!("{issuer} policy why --as ada --hub {HUB} --repo {REPOSITORY} --write"),
        ),
        (
            "somebody leaves, and a push is refused",
            format!("curl -X POST {provider}/disable; {again}"),
        ),
        (
            "they come back; after a new sign-in (any browser, or `curl -L ADDRESS` in a third terminal) pushes work again",
            format!("curl -X POST {provider}/enable; oam login --no-browser; {again}"),
        ),
    ]
}

/// For a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_quote_in_a_path_stays_one_word() {
        let script = format!("printf %s {}", quoted("it's /tmp/a b"));
        let out = std::process::Command::new("sh")
            .args(["-c", &script])
            .output()
            .unwrap();
        assert_eq!(out.stdout, b"it's /tmp/a b");
    }
}
