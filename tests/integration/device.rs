//! Signing in without a browser of this machine: by device code, and by the address pasted from another one's.

use crate::support::parts::package;
use crate::support::{Builder, Run, World};
use serde_json::json;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// How long one line of a sign-in may take.
const LINE: Duration = Duration::from_secs(30);

/// `oam login` under way, with what it says read line by line.
pub struct Login {
    child: Child,
    lines: Receiver<String>,
    said: String,
}

/// The lines of a stream as they come, so that a test can wait for one with a deadline.
fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines() {
            let Ok(line) = line else { return };
            let _ = sender.send(line);
        }
    });
    lines
}

impl Login {
    pub fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("oam starts");
        Self {
            lines: lines(child.stderr.take().unwrap()),
            child,
            said: String::new(),
        }
    }

    /// Of a program that shows its terminal on stdout; what is typed there goes in.
    pub fn on_a_terminal(mut command: Command) -> (Self, ChildStdin) {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let typed = child.stdin.take().unwrap();
        let login = Self {
            lines: lines(child.stdout.take().unwrap()),
            child,
            said: String::new(),
        };
        (login, typed)
    }

    /// The address to open, without the looks of a terminal.
    pub fn address(&mut self) -> String {
        self.until("/auth?");
        let line = self.said.lines().last().unwrap();
        let from = line.find("http").unwrap();
        let end = |c: char| c.is_control() || c == 'm' || c == '[' || c == '0';
        line[from..].trim_end_matches(end).to_owned()
    }

    /// Reads on until a line holds `word`; what follows it on that line.
    #[track_caller]
    pub fn until(&mut self, word: &str) -> String {
        loop {
            let next = self.lines.recv_timeout(LINE);
            let Ok(line) = next else {
                let _ = self.child.kill();
                panic!("{word:?} was not said:\n{}", self.said);
            };
            self.said.push_str(&line);
            self.said.push('\n');
            if let Some((_, rest)) = line.split_once(word) {
                return rest.trim().to_owned();
            }
        }
    }

    /// How it ended.
    pub fn end(mut self) -> Run {
        drop(self.child.stdin.take());
        let mut run = Run::of(&self.child.wait_with_output().unwrap());
        for line in &self.lines {
            self.said.push_str(&line);
            self.said.push('\n');
        }
        run.stderr = self.said;
        run
    }
}

/// The provider lets itself be asked once a second, so that a test need not wait for five.
pub fn quick(world: &World) {
    let answer = json!({"endpoint": "device", "values": {"interval": 1}, "count": -1});
    world.idp.control("answer", &answer);
}

fn by_device(world: &World) -> Login {
    quick(world);
    Login::start(world.oam_command(&["login", "acme", "--device"]))
}

/// A person at another device opens `page`.
pub fn confirm(world: &World, page: &str, deny: bool) {
    let mut browser = world.command(package().join("tests/parts/browser.mjs"));
    browser.arg(page);
    if deny {
        browser.env("OAM_TEST_DENY", "1");
    }
    browser.output().expect("a browser");
}

#[test]
fn sign_in_by_device_code() {
    let world = World::start();
    let mut login = by_device(&world);
    let page = login.until("open on any device: ");
    assert!(page.ends_with("/device"), "{page}");
    let code = login.until("and type the code:  ");
    let complete = login.until("with the code in it: ");
    assert!(
        complete.starts_with(&page) && complete.contains(&code),
        "{complete}"
    );
    let host = page
        .trim_start_matches("http://")
        .trim_end_matches("/device");
    assert!(login.until("the page must be at ").starts_with(host));
    // Asked before anybody confirmed: the sign-in waits on.
    world.idp.wait("device-poll", 1);
    confirm(&world, &complete, false);
    let run = login.end().expect(0);
    assert!(
        run.stdout.contains("signed in to acme as ada"),
        "{}",
        run.stdout
    );
    assert!(run.stderr.contains("as the client "), "{}", run.stderr);
    assert_eq!(world.status()["subject"], "ada");
    assert!(world.token().is_some());
    assert_eq!(world.idp.count("code"), 0);
    assert_eq!(world.last("login")["signed_in_by"], "device");
    let log = world.oam(&["log"]).expect(0);
    assert!(
        log.stdout.contains("signed in by device code"),
        "{}",
        log.stdout
    );
}

#[test]
fn a_device_code_that_is_denied_ends_the_sign_in_by_name() {
    let world = World::start();
    let mut login = by_device(&world);
    let complete = login.until("with the code in it: ");
    confirm(&world, &complete, true);
    let run = login.end().expect(5);
    assert!(run.stderr.contains("`access_denied`"), "{}", run.stderr);
    assert_eq!(world.last("login-failed")["signed_in_by"], "device");
    assert_eq!(world.status()["standing"], "signed-out");
}

#[test]
fn a_device_sign_in_with_the_nonce_of_another_one_is_refused_by_name() {
    let world = World::start();
    world.idp.control("tamper", &json!({"field": "nonce"}));
    let mut login = by_device(&world);
    let complete = login.until("with the code in it: ");
    confirm(&world, &complete, false);
    let run = login.end().expect(1);
    let said = "the check of `nonce` failed";
    assert!(run.stderr.contains(said), "{}", run.stderr);
    assert_eq!(world.status()["standing"], "signed-out");
}

#[test]
fn a_device_code_that_nobody_confirms_expires() {
    let world = Builder::default().idp(json!({"device_seconds": 2})).start();
    // The code is told to live longer than it does: the provider itself says that it has expired.
    let values = json!({"interval": 1, "expires_in": 600});
    let answer = json!({"endpoint": "device", "values": values, "count": -1});
    world.idp.control("answer", &answer);
    let run = world.oam(&["login", "acme", "--device"]).expect(1);
    assert!(
        run.stderr.contains("expired before anybody confirmed it"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr
            .contains("next: run `oam login acme --device` again"),
        "{}",
        run.stderr
    );
}

#[test]
fn an_organization_can_forbid_device_codes() {
    let forbid = |text: &str| text.replacen("client_id", "device = false\nclient_id", 1);
    let world = Builder::default().config(forbid).start();
    let run = world.oam(&["login", "acme", "--device"]).expect(5);
    assert!(
        run.stderr
            .contains("does not allow a sign-in by device code"),
        "{}",
        run.stderr
    );
    assert_eq!(world.idp.count("device"), 0);
}

#[test]
fn over_ssh_without_a_browser_the_device_code_is_chosen_where_the_provider_has_it() {
    let world = World::start();
    quick(&world);
    let mut command = world.oam_command(&["login", "acme"]);
    command
        .env_remove("BROWSER")
        .env_remove("DISPLAY")
        .env("SSH_CONNECTION", "192.0.2.7 51000 192.0.2.9 22");
    let mut login = Login::start(command);
    let complete = login.until("with the code in it: ");
    confirm(&world, &complete, false);
    login.end().expect(0);
    assert_eq!(world.status()["subject"], "ada");
}

#[test]
fn without_the_endpoint_in_the_metadata_the_configured_one_is_asked() {
    let hide = |world: &World| {
        let values = json!({"device_authorization_endpoint": null});
        let answer = json!({"endpoint": "discovery", "values": values, "count": -1});
        world.idp.control("answer", &answer);
    };
    let world = World::start();
    hide(&world);
    let run = world.oam(&["login", "acme", "--device"]).expect(1);
    assert!(
        run.stderr.contains("names no endpoint for device codes"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr.contains("device_authorization_endpoint"),
        "{}",
        run.stderr
    );
    let endpoint = format!(
        "device_authorization_endpoint = \"{}/device/auth\"\nclient_id",
        world.idp.get("issuer")
    );
    world.write_config(&world.usual_config().replacen("client_id", &endpoint, 1));
    let mut login = by_device(&world);
    let complete = login.until("with the code in it: ");
    confirm(&world, &complete, false);
    login.end().expect(0);
}

/// A browser elsewhere ends at an address that it can't reach: its address bar holds the answer.
#[test]
fn over_ssh_the_address_of_the_other_browser_can_be_pasted() {
    let forbid = |text: &str| text.replacen("client_id", "device = false\nclient_id", 1);
    let world = Builder::default().config(forbid).start();
    // `script` gives the sign-in a terminal; what it shows comes on stdout.
    let mut command = world.command("script");
    let line = format!("{} login acme 2>&1", oam::program("oam"));
    command
        .args(["-qefc", &line, "/dev/null"])
        .env_remove("BROWSER")
        .env_remove("DISPLAY")
        .env("SSH_CONNECTION", "192.0.2.7 51000 192.0.2.9 22");
    let (mut login, mut typed) = Login::on_a_terminal(command);
    let url = login.address();
    let tunnel = login.until("ssh -L ");
    assert!(tunnel.contains("ada@192.0.2.9"), "{tunnel}");
    login.until("paste it here");
    let landed = landing(&world, &url);
    let wrong = landed.replace("state=", "state=x");
    writeln!(typed, "{wrong}").unwrap();
    login.until("that is no answer to this sign-in");
    writeln!(typed, "{landed}").unwrap();
    login.until("to acme as ada");
    login.end().expect(0);
    assert_eq!(world.status()["subject"], "ada");
}

/// Where a browser that can't reach this machine's loopback ends.
pub fn landing(world: &World, url: &str) -> String {
    let mut browser = world.command(package().join("tests/parts/browser.mjs"));
    browser.arg(url).env("OAM_TEST_STOP_AT", "/callback");
    let output = browser.output().expect("a browser");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
