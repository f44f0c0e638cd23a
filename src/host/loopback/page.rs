//! The page that a browser shows at the end of a sign-in. It loads nothing and holds no secret.

use std::fmt::Write as _;

/// A page with its status.
pub struct CallbackPage {
    status: u16,
    title: &'static str,
    lines: Vec<String>,
}

const STYLE: &str = "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto;\
padding:0 1rem;color:#1b1f24;background:#fff}h1{font-size:1.5rem}\
@media(prefers-color-scheme:dark){body{color:#e6e8ea;background:#16181b}}";

impl CallbackPage {
    /// The sign-in succeeded.
    pub fn signed_in(org: &str) -> Self {
        Self {
            status: 200,
            title: "You are signed in",
            lines: vec![format!(
                "You are signed in to {org}. You can close this window and go back to your work."
            )],
        }
    }

    /// The sign-in failed: what happened, and the next step, both without a full stop.
    pub fn failed(sentence: &str, next: &str) -> Self {
        Self {
            status: 200,
            title: "Sign-in failed",
            lines: vec![format!("{sentence}."), format!("Next: {next}.")],
        }
    }

    /// A request that is not part of the sign-in that waits.
    pub(super) fn refused(status: u16, why: &str) -> Self {
        Self {
            status,
            title: "Not accepted",
            lines: vec![why.to_owned()],
        }
    }

    /// The whole HTTP answer.
    pub(super) fn response(&self) -> Vec<u8> {
        let mut body = format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\"><title>{title} - OAM</title>\
             <style>{STYLE}</style></head><body><main><h1>{title}</h1>",
            title = self.title
        );
        for line in &self.lines {
            let _ = write!(body, "<p>{}</p>", escaped(line));
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
