//! What a person is told to do: open an address in a browser, or type a code at the provider's page.

use super::paste;
use crate::browser;
use crate::when;
use oam_model::name::OrgName;
use oam_model::refusal::{Refusal, RefusalCode};
use oam_model::sign_in::DevicePrompt;
use oam_terminal::{Line, Show, Style};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// A sign-in that has not come back after this may be looking at an error of the provider.
const UNREGISTERED: Duration = Duration::from_secs(5);

/// Before the address, where no browser was opened.
const OPEN: &str = "Open in a browser: ";

/// Whether the person most likely sits at another machine.
pub(super) fn is_remote() -> bool {
    std::env::var_os("SSH_CONNECTION").is_some()
}

/// Opens the browser, or tells the address and how the browser finds back to this machine.
pub(super) fn browser(
    show: &Show,
    no_browser: bool,
    (url, org, issuer): (&str, &OrgName, &str),
    settled: &Arc<AtomicBool>,
) -> Result<(), Refusal> {
    openable(url, issuer)?;
    show.say(format!("signing in to {org} at {issuer}"));
    let opened = !no_browser && launch(show, url, settled);
    let lead = if opened {
        "If no browser opens, open: "
    } else {
        OPEN
    };
    // On stdout with --no-browser, so that a script can take it; it holds no secret.
    if no_browser {
        show.say(OPEN.trim_end());
        show.whole(url);
    } else {
        show.say(Line::new().text(lead).look(Style::Strong, url));
    }
    let redirect = parameter(url, "redirect_uri");
    if let Some(port) = redirect
        .as_deref()
        .and_then(port_of)
        .filter(|_| is_remote())
    {
        show.say(format!(
            "the browser comes back to port {port} of this machine; from another one, first run:"
        ));
        show.say(Line::new().look(
            Style::Strong,
            tunnel(port, &|name| std::env::var(name).ok()),
        ));
    }
    show.say("waiting for the browser; Ctrl-C cancels");
    if let Some(redirect) = redirect.filter(|_| !opened) {
        paste::listen(&redirect, Arc::clone(settled), show.talk());
    }
    if let Some(hint) = unregistered(url) {
        let (settled, talk) = (Arc::clone(settled), show.talk());
        // Nobody waits for it: it ends with the program.
        thread::spawn(move || {
            thread::sleep(UNREGISTERED);
            if !settled.load(Ordering::Relaxed) {
                talk.say(hint);
            }
        });
    }
    Ok(())
}

/// Tells page and code, and what to look at before the code is typed.
pub(super) fn device(
    show: &Show,
    (url, org, issuer): (&str, &OrgName, &str),
    device: &DevicePrompt,
) -> Result<(), Refusal> {
    openable(url, issuer)?;
    let client = device.client_id.as_ref();
    let client = client.map_or_else(String::new, |id| format!(" as the client {id}"));
    show.say(format!(
        "signing in to {org} at {issuer}{client}, by device code"
    ));
    let page = Line::new().text("open on any device: ");
    show.say(page.look(Style::Strong, url));
    let code = Line::new().text("and type the code:  ");
    show.say(code.look(Style::Strong, device.user_code.clone()));
    if let Some(complete) = &device.verification_uri_complete {
        show.say(format!("or open the page with the code in it: {complete}"));
    }
    let host = host_of(url).unwrap_or_else(|| url.to_owned());
    show.say(Line::new().look(
        Style::Warn,
        format!("the page must be at {host}. Whoever confirms this code signs this machine in as themselves: never confirm one that somebody else sent you"),
    ));
    show.say(format!(
        "waiting for the confirmation, for {}; Ctrl-C cancels",
        when::span(device.expires_in_s)
    ));
    Ok(())
}

fn openable(url: &str, issuer: &str) -> Result<(), Refusal> {
    if browser::is_openable(url) {
        return Ok(());
    }
    Err(Refusal::new(
        RefusalCode::Unavailable,
        format!("{issuer} has an authorization address that no browser should open"),
        "check the issuer in the configuration",
    ))
}

/// Opens the browser and tells if it fails while the sign-in waits.
fn launch(show: &Show, url: &str, settled: &Arc<AtomicBool>) -> bool {
    match browser::open(url) {
        None => {
            show.say("no browser was found");
            false
        }
        Some(Err(name)) => {
            show.say(format!("the browser {name} could not be started"));
            false
        }
        Some(Ok(mut child)) => {
            let (settled, talk) = (Arc::clone(settled), show.talk());
            // Not waited for: many browsers stay in the foreground. The thread ends with the program.
            thread::spawn(move || {
                let failed = child.wait().is_ok_and(|status| !status.success());
                if failed && !settled.load(Ordering::Relaxed) {
                    talk.say("the browser command failed; open the address above by hand");
                }
            });
            true
        }
    }
}

/// The line that lets a browser of the machine from which this one was reached come back to `port`.
fn tunnel(port: u16, variable: &dyn Fn(&str) -> Option<String>) -> String {
    // sshd(8): client address, client port, server address, server port.
    let connection = variable("SSH_CONNECTION").unwrap_or_default();
    let mut words = connection.split_whitespace().skip(2);
    let host = words.next().unwrap_or("THIS-MACHINE");
    let usual = |port: &&str| *port != "22" && port.bytes().all(|b| b.is_ascii_digit());
    let at = words.next().filter(usual).map(|port| format!("-p {port} "));
    let who = variable("USER")
        .or_else(|| variable("LOGNAME"))
        .map(|user| format!("{user}@"));
    format!(
        "ssh -L {port}:127.0.0.1:{port} {}{}{host}",
        at.unwrap_or_default(),
        who.unwrap_or_default()
    )
}

fn host_of(url: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    let host = url.host_str()?;
    let port = url
        .port()
        .map_or_else(String::new, |port| format!(":{port}"));
    Some(format!("{host}{port}"))
}

fn port_of(redirect: &str) -> Option<u16> {
    url::Url::parse(redirect).ok()?.port()
}

fn parameter(url: &str, name: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    let found = url.query_pairs().find(|(key, _)| key == name);
    found.map(|(_, value)| value.into_owned())
}

/// What to register where the provider shows a page of its own about it: no answer of it comes back here.
fn unregistered(url: &str) -> Option<String> {
    let (redirect, client) = (
        parameter(url, "redirect_uri")?,
        parameter(url, "client_id")?,
    );
    Some(format!(
        "if the provider shows an error: register {redirect} for the client {client} there, and set `redirect_port` where it compares ports"
    ))
}

#[cfg(test)]
mod tests {
    use super::{parameter, port_of, tunnel, unregistered};

    #[test]
    fn the_port_that_the_browser_comes_back_to_is_found() {
        let url =
            "https://idp/auth?client_id=x&redirect_uri=http%3A%2F%2F127.0.0.1%3A40123%2Fcallback";
        let redirect = parameter(url, "redirect_uri").unwrap();
        assert_eq!(port_of(&redirect), Some(40123));
        assert_eq!(parameter("https://idp/auth", "redirect_uri"), None);
        let hint = unregistered(url).unwrap();
        for said in [
            "http://127.0.0.1:40123/callback",
            "the client x",
            "`redirect_port`",
        ] {
            assert!(hint.contains(said), "{said}: {hint}");
        }
    }

    #[test]
    fn over_ssh_the_line_for_the_other_machine_can_be_copied_as_it_is() {
        let line = |connection: Option<&str>, user: Option<&str>| {
            tunnel(40123, &|name| match name {
                "SSH_CONNECTION" => connection.map(str::to_owned),
                "USER" => user.map(str::to_owned),
                _ => None,
            })
        };
        for (connection, user, said) in [
            (
                Some("192.0.2.7 51000 10.0.0.5 22"),
                Some("ada"),
                "ssh -L 40123:127.0.0.1:40123 ada@10.0.0.5",
            ),
            (
                Some("192.0.2.7 51000 10.0.0.5 2222"),
                Some("ada"),
                "ssh -L 40123:127.0.0.1:40123 -p 2222 ada@10.0.0.5",
            ),
            (
                Some("odd"),
                None,
                "ssh -L 40123:127.0.0.1:40123 THIS-MACHINE",
            ),
        ] {
            assert_eq!(line(connection, user), said);
        }
    }
}
