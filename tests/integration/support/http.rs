//! Plain loopback HTTP, as little as the tests need: one request a connection, everything visible.

use serde_json::Value;
use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A request to make.
#[derive(Clone)]
pub struct Ask {
    method: &'static str,
    url: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// What came back.
pub struct Answer {
    /// Status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The answer, which must have this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }
}

impl Ask {
    /// GET.
    pub fn get(url: &str) -> Self {
        Self::new("GET", url)
    }

    /// POST.
    pub fn post(url: &str) -> Self {
        Self::new("POST", url)
    }

    /// Another method.
    pub fn new(method: &'static str, url: &str) -> Self {
        Self {
            method,
            url: url.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// One more header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// `Authorization: Bearer`.
    pub fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    /// `Authorization: Basic`.
    pub fn basic(self, user: &str, password: &str) -> Self {
        let pair = base64(format!("{user}:{password}").as_bytes());
        self.header("Authorization", &format!("Basic {pair}"))
    }

    /// A body of this type.
    pub fn body(mut self, kind: &str, body: &[u8]) -> Self {
        body.clone_into(&mut self.body);
        self.header("Content-Type", kind)
    }

    /// A form.
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let pairs: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
            .collect();
        self.body(
            "application/x-www-form-urlencoded",
            pairs.join("&").as_bytes(),
        )
    }

    /// A JSON body.
    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string().as_bytes())
    }

    /// The bytes of the request, and where they go.
    pub fn wire(&self) -> (String, Vec<u8>) {
        let rest = self.url.strip_prefix("http://").expect("a plain URL");
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let mut head = format!("{} /{path} HTTP/1.1\r\nHost: {authority}\r\n", self.method);
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        let length = self.body.len();
        let _ = write!(
            head,
            "Connection: close\r\nContent-Length: {length}\r\n\r\n"
        );
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body);
        (authority.to_owned(), bytes)
    }

    /// Sends it and reads the whole answer.
    ///
    /// # Errors
    /// Nobody listens, or the connection ended before the answer did.
    pub fn try_send(&self) -> io::Result<Answer> {
        let mut opened = self.open()?;
        let mut body = Vec::new();
        opened.body.read_to_end(&mut body)?;
        Ok(Answer {
            status: opened.status,
            headers: opened.headers,
            body,
        })
    }

    /// Sends it; there must be an answer.
    #[track_caller]
    pub fn send(&self) -> Answer {
        self.try_send()
            .unwrap_or_else(|e| panic!("{} {}: {e}", self.method, self.url))
    }

    /// Sends it and reads the head of the answer.
    ///
    /// # Errors
    /// Nobody listens, or what came is no head.
    pub fn open(&self) -> io::Result<Opened> {
        let (authority, bytes) = self.wire();
        let mut stream = TcpStream::connect(authority)?;
        stream.set_read_timeout(Some(Duration::from_mins(1)))?;
        // A server that refuses early closes while we still write; its answer counts all the same.
        let written = stream.write_all(&bytes);
        let mut reader = BufReader::new(stream);
        match head(&mut reader) {
            Ok((status, headers)) => {
                let body = Body::of(&headers, reader);
                Ok(Opened {
                    status,
                    headers,
                    body,
                })
            }
            Err(e) => Err(written.err().unwrap_or(e)),
        }
    }
}

/// An answer whose body is still to come.
pub struct Opened {
    /// Status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as it comes.
    pub body: Body,
}

fn head(reader: &mut impl BufRead) -> io::Result<(u16, Vec<(String, String)>)> {
    let mut line = String::new();
    let broken = || io::Error::new(io::ErrorKind::UnexpectedEof, "no head");
    reader.read_line(&mut line)?;
    let status = line.split_whitespace().nth(1).and_then(|s| s.parse().ok());
    let status = status.ok_or_else(broken)?;
    let mut headers = Vec::new();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(broken());
        }
        let Some((name, value)) = line.trim_end().split_once(':') else {
            return Ok((status, headers));
        };
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
}

/// A body, taken out of its chunks.
pub struct Body {
    reader: BufReader<TcpStream>,
    /// Bytes left of the chunk or of the whole; none: until the connection ends.
    left: Option<usize>,
    chunked: bool,
    ended: bool,
}

impl Body {
    fn of(headers: &[(String, String)], reader: BufReader<TcpStream>) -> Self {
        let value = |name: &str| headers.iter().find(|(key, _)| key == name);
        let chunked = value("transfer-encoding").is_some_and(|(_, v)| v.contains("chunked"));
        let length = value("content-length").and_then(|(_, v)| v.parse().ok());
        Self {
            reader,
            left: if chunked { Some(0) } else { length },
            chunked,
            ended: false,
        }
    }

    /// The size of the next chunk.
    fn next_chunk(&mut self) -> io::Result<usize> {
        let mut line = String::new();
        while line.trim().is_empty() {
            line.clear();
            if self.reader.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        usize::from_str_radix(line.trim(), 16).map_err(io::Error::other)
    }
}

impl Read for Body {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.chunked && !self.ended && self.left == Some(0) {
            let size = self.next_chunk()?;
            self.left = Some(size);
            self.ended = size == 0;
        }
        let limit = self.left.unwrap_or(into.len()).min(into.len());
        if limit == 0 || self.ended {
            return Ok(0);
        }
        let count = self.reader.read(&mut into[..limit])?;
        if let Some(left) = &mut self.left {
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            *left -= count;
        }
        Ok(count)
    }
}

/// Percent-encoding for forms and queries.
pub fn encoded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes()
        .map(|b| {
            if plain(b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

/// Base64 with padding.
pub fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let mut word = [0; 3];
        word[..group.len()].copy_from_slice(group);
        let bits = u32::from_be_bytes([0, word[0], word[1], word[2]]);
        for at in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * at)) as usize & 63];
            text.push(if at <= group.len() {
                char::from(letter)
            } else {
                '='
            });
        }
    }
    text
}

/// The bytes of unpadded base64url.
pub fn unbase64url(text: &str) -> Vec<u8> {
    let value = |letter: u8| match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'-' => 62,
        b'_' => 63,
        _ => panic!("not base64url: {text}"),
    };
    let (mut bits, mut held, mut bytes) = (0_u32, 0, Vec::new());
    for letter in text.bytes() {
        bits = bits << 6 | u32::from(value(letter));
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xff) as u8);
        }
    }
    bytes
}

/// One JSON request; the answer's status and JSON.
pub fn request(method: &str, url: &str, body: Option<&Value>) -> (u16, Value) {
    let ask = match method {
        "GET" => Ask::get(url),
        _ => Ask::post(url),
    };
    let answer = match body {
        Some(body) => ask.json(body).send(),
        None => ask.send(),
    };
    (answer.status, answer.json())
}
