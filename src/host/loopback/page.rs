//! The page that a browser shows at the end of a sign-in. It loads nothing and holds no secret.

use std::fmt::Write as _;

/// A page with its status.
pub struct CallbackPage {
    status: u16,
    /// `good` or `bad`, as the style has it.
    look: &'static str,
    title: String,
    lines: Vec<String>,
}

const STYLE: &str = "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto;\
padding:0 1rem;color:#1b1f24;background:#fff}h1{font-size:1.5rem}\
h1.good::before{content:'\\2713\\a0';color:#1a7f37}h1.bad::before{content:'\\2717\\a0';color:#cf222e}\
.oam{font-size:.9rem;opacity:.7}code{font-family:ui-monospace,monospace;font-size:.95em}\
@media(prefers-color-scheme:dark){body{color:#e6e8ea;background:#16181b}}";

impl CallbackPage {
    /// The sign-in of this person succeeded.
    pub fn signed_in(org: &str, person: &str) -> Self {
        Self {
            status: 200,
            look: "good",
            title: format!("You are signed in to {org}"),
            lines: vec![
                format!("As {person}."),
                "You can close this window and go back to your terminal; `oam status` shows what you may do."
                    .to_owned(),
            ],
        }
    }

    /// The sign-in failed: what happened, and the next step, both without a full stop.
    pub fn failed(sentence: &str, next: &str) -> Self {
        Self {
            status: 200,
            look: "bad",
            title: "Sign-in failed".to_owned(),
            lines: vec![format!("{sentence}."), format!("Next: {next}.")],
        }
    }

    /// A request that is not part of the sign-in that waits.
    pub(super) fn refused(status: u16, why: &str) -> Self {
        Self {
            status,
            look: "bad",
            title: "Not accepted".to_owned(),
            lines: vec![
                why.to_owned(),
                "Next: close this window, and run `oam login` again if no other one is open."
                    .to_owned(),
            ],
        }
    }

    /// The whole HTTP answer.
    pub(super) fn response(&self) -> Vec<u8> {
        let mut body = format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\"><title>{title} - OAM</title>\
             <style>{STYLE}</style></head><body><main><p class=\"oam\">OAM, organization access management</p>\
             <h1 class=\"{look}\">{title}</h1>",
            look = self.look,
            title = escaped(&self.title)
        );
        for line in &self.lines {
            let _ = write!(body, "<p>{}</p>", marked(line));
        }
        body.push_str("</main></body></html>\n");
        let allow = if self.status == 405 {
            "Allow: GET\r\n"
        } else {
            ""
        };
        let reason = match self.status {
            200 => "OK",
            404 => "Not Found",
            405 => "Method Not Allowed",
            _ => "Bad Request",
        };
        format!(
            "HTTP/1.1 {} {reason}\r\n\
             Content-Type: text/html; charset=utf-8\r\n\
             Content-Length: {}\r\n\
             Connection: close\r\n\
             {allow}\
             Cache-Control: no-store\r\n\
             Referrer-Policy: no-referrer\r\n\
             X-Content-Type-Options: nosniff\r\n\
             X-Frame-Options: DENY\r\n\
             Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\r\n{body}",
            self.status,
            body.len(),
        )
        .into_bytes()
    }
}

/// What stands between backticks is a command.
fn marked(line: &str) -> String {
    let pieces = line.split('`').enumerate();
    let pieces = pieces.map(|(at, piece)| match at % 2 {
        0 => escaped(piece),
        _ => format!("<code>{}</code>", escaped(piece)),
    });
    pieces.collect()
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
