//! The way back by hand: the browser of another machine can't reach this one's loopback, but the address in its
//! address bar holds the provider's answer. It is given to the listener that waits for it, which checks it as if a
//! browser had brought it.

use crate::system;
use oam_terminal::Talk;
use std::io::{BufRead, IsTerminal, Read, Write, stdin};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use url::Url;
use zeroize::Zeroizing;

/// Longest line that is read.
const LONGEST: u64 = 16 * 1024;
/// How long the listener may take: it asks the provider for the tokens before it answers.
const PATIENCE: Duration = Duration::from_mins(1);

/// Takes pasted addresses from the terminal for as long as the sign-in waits. Without a terminal, or in the
/// background, nothing is read: what stands on stdin is then for somebody else.
pub(super) fn listen(redirect: &str, settled: Arc<AtomicBool>, talk: Talk) {
    let Some(redirect) = Redirect::of(redirect) else {
        return;
    };
    if !stdin().is_terminal() || !system::is_in_foreground() {
        return;
    }
    // Nobody waits for it: it ends with the program.
    thread::spawn(move || ask(&redirect, &settled, talk));
}

fn ask(redirect: &Redirect, settled: &AtomicBool, talk: Talk) {
    talk.say("if the browser can't reach 127.0.0.1 in the end, copy the whole address from its address bar and paste it here");
    loop {
        let mut line = Zeroizing::new(String::new());
        let read = stdin().lock().take(LONGEST).read_line(&mut line);
        if !read.is_ok_and(|count| count > 0) || settled.load(Ordering::Relaxed) {
            return;
        }
        match redirect.target(&line) {
            Err(why) => talk.say(why),
            Ok(target) => match redirect.deliver(&target) {
                Delivered::Taken | Delivered::Over => return,
                Delivered::Refused => {
                    talk.say("that is no answer to this sign-in (another `state`, or a part is missing); paste the address of the tab that was opened last");
                }
            },
        }
    }
}

/// Where the browser is sent by the provider.
struct Redirect {
    text: String,
    port: u16,
    path: String,
}

/// What became of an address.
enum Delivered {
    /// It was the answer that was waited for.
    Taken,
    /// It was none; the sign-in waits on.
    Refused,
    /// Nobody waits any more: how the sign-in went is told elsewhere.
    Over,
}

impl Redirect {
    fn of(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        Some(Self {
            text: text.to_owned(),
            port: url.port()?,
            path: url.path().to_owned(),
        })
    }

    /// What is asked of the listener.
    fn target(&self, pasted: &str) -> Result<Zeroizing<String>, String> {
        let pasted = pasted.trim();
        // Some browsers hide the scheme.
        let whole = if pasted.contains("://") {
            Zeroizing::new(pasted.to_owned())
        } else {
            Zeroizing::new(format!("http://{pasted}"))
        };
        let url = Url::parse(&whole).ok();
        let ours = url.filter(|url| {
            url.scheme() == "http"
                && matches!(url.host_str(), Some("127.0.0.1" | "localhost"))
                && url.port() == Some(self.port)
                && url.path() == self.path
        });
        let query = ours.as_ref().and_then(Url::query);
        query
            .map(|query| Zeroizing::new(format!("{}?{query}", self.path)))
            .ok_or_else(|| {
                format!(
                    "that is not the address to which the provider sends the browser; it begins with {}?",
                    self.text
                )
            })
    }

    fn deliver(&self, target: &str) -> Delivered {
        let place = (Ipv4Addr::LOCALHOST, self.port);
        let Ok(mut stream) = TcpStream::connect(place) else {
            return Delivered::Over;
        };
        let head = Zeroizing::new(format!(
            "GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n",
            self.port
        ));
        let _ = stream.set_read_timeout(Some(PATIENCE));
        let mut status = [0; 12];
        let answered = stream
            .write_all(head.as_bytes())
            .and_then(|()| stream.read_exact(&mut status));
        if answered.is_ok() && status.ends_with(b" 200") {
            return Delivered::Taken;
        }
        // The listener closes with the first answer that fits, whatever comes of it.
        if TcpStream::connect(place).is_ok() {
            Delivered::Refused
        } else {
            Delivered::Over
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Redirect;

    fn target(pasted: &str) -> Option<String> {
        let redirect = Redirect::of("http://127.0.0.1:40123/callback").unwrap();
        redirect
            .target(pasted)
            .ok()
            .map(|target| target.to_string())
    }

    #[test]
    fn a_pasted_address_is_taken_as_browsers_show_it() {
        for pasted in [
            "http://127.0.0.1:40123/callback?code=c&state=s&iss=i\n",
            "  127.0.0.1:40123/callback?code=c&state=s&iss=i ",
            "http://localhost:40123/callback?code=c&state=s&iss=i",
        ] {
            let said = target(pasted);
            assert_eq!(said.as_deref(), Some("/callback?code=c&state=s&iss=i"));
        }
    }

    #[test]
    fn only_the_address_to_which_the_provider_sends_the_browser_is_taken() {
        for pasted in [
            "",
            "c0de",
            "http://127.0.0.1:40123/callback",
            "http://127.0.0.1:40124/callback?code=c&state=s",
            "http://127.0.0.1:40123/other?code=c&state=s",
            "https://127.0.0.1:40123/callback?code=c&state=s",
            "http://evil.example:40123/callback?code=c&state=s",
            "http://127.0.0.1:40123@evil.example/callback?code=c",
        ] {
            assert_eq!(target(pasted), None, "{pasted}");
        }
    }

    #[test]
    fn nothing_that_is_pasted_adds_a_line_to_the_request() {
        let said = target("http://127.0.0.1:40123/callback?code=c\r\nHost: evil&state=s");
        assert!(said.is_none_or(|said| !said.contains(['\r', '\n', ' '])));
    }
}
