//! `git http-backend` behind HTTP: one request, one process (RFC 3875).

use super::pace::Push;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, Command};

/// Where the hub's bare repositories lie, and the environment its git runs with.
#[derive(Debug, Clone)]
pub struct GitBackend {
    /// `GIT_PROJECT_ROOT`: repositories are `NAMESPACE/NAME.git` in it.
    pub root: PathBuf,
    /// The whole environment of the process; nothing is inherited.
    pub environment: Vec<(String, String)>,
    /// Bytes of the pushes that are open.
    pub pushes: Arc<AtomicUsize>,
}

/// A request to it, already allowed.
pub struct Call {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// `acme/model`.
    pub repository: String,
    /// `info/refs`, `git-upload-pack`, `git-receive-pack`.
    pub service: &'static str,
    /// As it came, without the question mark.
    pub query: String,
    /// `REMOTE_USER`: with it set, http-backend allows a push.
    pub user: String,
    /// The request's headers.
    pub headers: HeaderMap,
}

/// Letters, digits, `.`, `_`, `-`, not starting with a dot: a name that is safe in a path.
pub fn plain_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

impl GitBackend {
    /// Runs it. The request streams into the process; the answer is gathered before it is sent:
    /// streaming it would need one more crate for the sake of a repository with two files.
    ///
    /// # Errors
    /// git can't be started, or its answer is not CGI; in words.
    pub async fn serve(&self, call: Call, body: Body) -> Result<Response, String> {
        let mut command = Command::new("git");
        command
            .arg("http-backend")
            .env_clear()
            .envs(self.environment.iter().map(|(k, v)| (k, v)));
        command
            .env("GIT_PROJECT_ROOT", &self.root)
            .env("GIT_HTTP_EXPORT_ALL", "1")
            .env("REQUEST_METHOD", call.method)
            .env(
                "PATH_INFO",
                format!("/{}.git/{}", call.repository, call.service),
            )
            .env("QUERY_STRING", &call.query)
            .env("REMOTE_USER", &call.user)
            .env("REMOTE_ADDR", "127.0.0.1");
        for (name, variable) in [
            (header::CONTENT_TYPE, "CONTENT_TYPE"),
            (header::CONTENT_LENGTH, "CONTENT_LENGTH"),
            (header::CONTENT_ENCODING, "HTTP_CONTENT_ENCODING"),
            (HeaderName::from_static("git-protocol"), "GIT_PROTOCOL"),
        ] {
            if let Some(value) = call.headers.get(name).and_then(|value| value.to_str().ok()) {
                command.env(variable, value);
            }
        }
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let mut child = command
            .spawn()
            .map_err(|error| format!("git http-backend did not start: {error}"))?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let pushes = call.method == "POST" && call.service == "git-receive-pack";
        let push = pushes.then(|| Push::begin(&self.pushes));
        let mut answer = Vec::new();
        let gather = async {
            match output {
                Some(mut output) => output.read_to_end(&mut answer).await.map(|_| ()),
                None => Ok(()),
            }
        };
        // Both at once: a process that answers before it has read everything would else block us.
        let ((), gathered) = tokio::join!(feed(input, body, push), gather);
        gathered.map_err(|error| format!("git http-backend broke off: {error}"))?;
        child
            .wait()
            .await
            .map_err(|error| format!("git http-backend was lost: {error}"))?;
        response_of(&answer).ok_or_else(|| "git http-backend gave no CGI answer".to_owned())
    }
}

/// Copies the request's body. A process that stops reading has its reasons: no fault of ours.
async fn feed(input: Option<ChildStdin>, mut body: Body, mut push: Option<Push<'_>>) {
    let Some(mut input) = input else { return };
    while let Some(Ok(frame)) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await
    {
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if input.write_all(&data).await.is_err() {
            return;
        }
        if let Some(push) = &mut push {
            push.took(data.len()).await;
        }
    }
}

/// A CGI answer (RFC 3875 §6) as an HTTP response. `None`: it is none.
fn response_of(answer: &[u8]) -> Option<Response> {
    let (head, body) = split_head(answer)?;
    let mut response = Response::new(Body::from(Bytes::copy_from_slice(body)));
    for line in head.lines() {
        let (name, value) = line.split_once(':')?;
        let value = value.trim();
        if name.eq_ignore_ascii_case("status") {
            let code = value.split(' ').next()?.parse::<u16>().ok()?;
            *response.status_mut() = StatusCode::from_u16(code).ok()?;
        } else {
            let name = HeaderName::try_from(name).ok()?;
            response
                .headers_mut()
                .append(name, HeaderValue::try_from(value).ok()?);
        }
    }
    Some(response)
}

fn split_head(answer: &[u8]) -> Option<(&str, &[u8])> {
    let at = |mark: &[u8]| {
        answer
            .windows(mark.len())
            .position(|w| w == mark)
            .map(|p| (p, p + mark.len()))
    };
    let (end, start) = at(b"\r\n\r\n").or_else(|| at(b"\n\n"))?;
    Some((
        std::str::from_utf8(answer.get(..end)?).ok()?,
        answer.get(start..)?,
    ))
}

#[cfg(test)]
mod tests {
    use super::{plain_name, response_of};

    #[test]
    fn a_status_line_and_headers_of_cgi_become_those_of_http() {
        let response =
            response_of(b"Status: 403 Forbidden\r\nContent-Type: text/plain\r\n\r\nno").unwrap();
        assert_eq!(response.status(), 403);
        assert_eq!(response.headers()["content-type"], "text/plain");
    }

    #[test]
    fn an_answer_without_a_head_is_none() {
        assert!(response_of(b"fatal: not a git repository").is_none());
        assert!(response_of(b"").is_none());
    }

    #[test]
    fn names_that_could_leave_the_folder_are_not_plain() {
        for bad in ["", ".", "..", ".git", "a/b", "a%2e", "a b", "a\\b"] {
            assert!(!plain_name(bad), "{bad}");
        }
        assert!(plain_name("model-7b_v1.2"));
    }
}
