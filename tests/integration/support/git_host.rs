//! git hosts that nobody here wrote: Apache with `mod_oauth2` and nginx, both before git-http-backend, configured
//! word by word as `oam help hubs` has it.

use super::parts::package;
use super::port::Port;
use super::web_server::WebServer;
use std::process::Command;

/// The one block of code in `oam help hubs` that has this in it.
#[track_caller]
pub fn snippet(mark: &str) -> String {
    let page = std::fs::read_to_string(package().join("src/cli/help/hubs.md")).unwrap();
    let blocks = page.split("```").skip(1).step_by(2);
    let mut found = blocks.filter(|block| block.contains(mark));
    match (found.next(), found.next()) {
        (Some(block), None) => block.trim_start_matches('\n').to_owned(),
        _ => panic!("not one block of code with {mark}"),
    }
}

/// Which server stands before git.
pub enum Server<'a> {
    /// Apache that verifies by signature.
    ApacheBySignature,
    /// The same with another clock, as `faketime` takes it.
    ApacheAt(&'a str),
    /// Apache with this line `OAuth2TokenVerify`.
    Apache(&'a str),
    /// nginx that asks the issuer, as this client.
    Nginx(&'a str, &'a str),
}

/// A git host that serves `acme/model` and `acme/other`.
pub struct GitHost {
    /// Its address.
    pub url: String,
    _server: WebServer,
}

impl GitHost {
    /// Starts it at this port; tokens are of this issuer, and the hub's own address is `hub`.
    pub fn start(server: &Server<'_>, port: &Port, hub: &str, issuer: &str) -> Self {
        let mut web = WebServer::default();
        repositories(&web);
        let folder = web.folder().join("git").display().to_string();
        let ours = |text: &str| {
            text.replace("https://oam.acme.example", issuer)
                .replace("https://git.acme.example", hub)
                .replace("/srv/git", &folder)
        };
        match server {
            Server::ApacheBySignature => apache(&mut web, port, &ours(&snippet("<Macro")), &[]),
            Server::ApacheAt(clock) => {
                let preload = Command::new("faketime")
                    .args(["-f", clock, "printenv", "LD_PRELOAD"])
                    .output();
                let preload = String::from_utf8(preload.expect("faketime").stdout).unwrap();
                // Without the program itself: what it shares with its children would be left behind.
                let clock = [("LD_PRELOAD", preload.trim()), ("FAKETIME", *clock)];
                apache(&mut web, port, &ours(&snippet("<Macro")), &clock);
            }
            Server::Apache(verify) => {
                let text = snippet("<Macro");
                let mut lines = text.lines();
                let line = lines.find(|line| line.starts_with("OAuth2TokenVerify"));
                let text = text.replace(line.expect("a line that verifies"), verify.trim());
                apache(&mut web, port, &ours(&text), &[]);
            }
            Server::Nginx(client, secret) => {
                let pair = super::http::base64(format!("{client}:{secret}").as_bytes());
                let socket = web.fcgiwrap("git/fcgiwrap.socket");
                let text = snippet("auth_request")
                    .replace("BASE64", &pair)
                    .replace("/run/fcgiwrap.socket", &socket.display().to_string());
                let listen = format!("listen 127.0.0.1:{};\n", port.number);
                web.nginx(port, &(listen + &ours(&text)));
            }
        }
        Self {
            url: port.url(),
            _server: web,
        }
    }
}

fn apache(web: &mut WebServer, port: &Port, text: &str, environment: &[(&str, &str)]) {
    let modules = ["alias", "cgi", "env", "headers", "macro", "oauth2"];
    web.apache(port, &modules, text, environment);
}

/// Bare repositories with one commit, of the user as whom the server runs: git serves no others.
fn repositories(web: &WebServer) {
    let script = "set -e; cd \"$0\"; mkdir -p git/acme work; cd work; git init -q -b main .; echo 1 >README.md; git add .
        git -c user.name=ada -c user.email=ada@acme.example commit -qm first
        for name in model other; do git clone -q --bare . ../git/acme/$name.git; done";
    let made = Command::new("sh")
        .args(["-c", script])
        .arg(web.folder())
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .status();
    assert!(made.unwrap().success());
    web.give("git");
}
