//! A private desktop: a D-Bus session, gnome-keyring in it, and dunst under Xvfb where wanted.

use super::screen::ScreenServices;
use super::wait::{self, until_true};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Speaks as much D-Bus as it takes to own a name, then reads on for ever.
const HUNG: &str = r"
import os, socket, struct
path = os.environ['DBUS_SESSION_BUS_ADDRESS'].split('path=')[1].split(',')[0]
bus = socket.socket(socket.AF_UNIX)
bus.connect(path)
bus.sendall(b'\0AUTH EXTERNAL ' + str(os.getuid()).encode().hex().encode() + b'\r\n')
bus.recv(4096)
bus.sendall(b'BEGIN\r\n')
def call(serial, member, signature, body):
    def pad(data, to): return data + b'\0' * (-len(data) % to)
    def text(value): return struct.pack('<I', len(value)) + value.encode() + b'\0'
    fields = b''
    for code, kind, value in ((1, 'o', '/org/freedesktop/DBus'), (6, 's', 'org.freedesktop.DBus'),
                              (2, 's', 'org.freedesktop.DBus'), (3, 's', member)):
        fields = pad(fields, 8) + struct.pack('<BB', code, 1) + kind.encode() + b'\0' + text(value)
    if signature:
        fields = pad(fields, 8) + struct.pack('<BB', 8, 1) + b'g\0' + struct.pack('<B', len(signature)) + signature.encode() + b'\0'
    head = b'l\1\0\1' + struct.pack('<III', len(body), serial, len(fields)) + fields
    bus.sendall(pad(head, 8) + body)
name = 'org.freedesktop.Notifications'
call(1, 'Hello', '', b'')
body = struct.pack('<I', len(name)) + name.encode() + b'\0'
call(2, 'RequestName', 'su', body + b'\0' * (-len(body) % 4) + struct.pack('<I', 0))
while bus.recv(65536): pass
";

/// A D-Bus session with what was started in it.
pub struct Desktop {
    /// For `DBUS_SESSION_BUS_ADDRESS`.
    pub address: String,
    /// For `DISPLAY`, when dunst runs.
    pub display: Option<String>,
    /// logind and the screen saver, where they run: this bus is the system's, too.
    pub screen: Option<ScreenServices>,
    home: PathBuf,
    runtime: PathBuf,
    bus: Child,
    keyring: Option<Child>,
    others: Vec<Child>,
}

impl Desktop {
    /// A bus with nothing on it.
    pub fn bus(home: &Path, runtime: &Path) -> Self {
        let config = home.join("bus.conf");
        // No service folders: nothing is started by activation behind the test's back.
        std::fs::write(
            &config,
            format!(
                r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path={}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>"#,
                runtime.join("bus").display()
            ),
        )
        .unwrap();
        let mut bus = Command::new("dbus-daemon")
            .arg(format!("--config-file={}", config.display()))
            .args(["--nofork", "--print-address"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("dbus-daemon (package dbus-daemon)");
        let mut address = String::new();
        BufReader::new(bus.stdout.take().unwrap())
            .read_line(&mut address)
            .unwrap();
        Self {
            address: address.trim().to_owned(),
            display: None,
            screen: None,
            home: home.to_owned(),
            runtime: runtime.to_owned(),
            bus,
            keyring: None,
            others: Vec::new(),
        }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("DBUS_SESSION_BUS_ADDRESS", &self.address)
            .env("HOME", &self.home)
            .env("XDG_RUNTIME_DIR", &self.runtime)
            .env_remove("XDG_DATA_HOME")
            .env_remove("DISPLAY")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some(display) = &self.display {
            command.env("DISPLAY", display);
        }
        command
    }

    /// Starts gnome-keyring with its login collection unlocked.
    pub fn start_keyring(&mut self) {
        let mut keyring = self
            .command("gnome-keyring-daemon")
            .args(["--foreground", "--unlock", "--components=secrets"])
            .stdin(Stdio::piped())
            .spawn()
            .expect("gnome-keyring-daemon (package gnome-keyring)");
        keyring.stdin.take().unwrap().write_all(b"pw").unwrap();
        self.keyring = Some(keyring);
        self.wait_for_name("org.freedesktop.secrets");
        until_true("the login collection", || {
            let read = self.call_secrets("ReadAlias", &["default"]);
            read.contains("/org/freedesktop/secrets/collection")
        });
    }

    /// Starts gnome-keyring as it is before anybody ever logged in: no collection is the default.
    pub fn start_keyring_without_collection(&mut self) {
        let keyring = self
            .command("gnome-keyring-daemon")
            .args(["--foreground", "--components=secrets"])
            .spawn()
            .expect("gnome-keyring-daemon (package gnome-keyring)");
        self.keyring = Some(keyring);
        self.wait_for_name("org.freedesktop.secrets");
    }

    fn call_secrets(&self, method: &str, args: &[&str]) -> String {
        let output = self
            .command("gdbus")
            .args([
                "call",
                "--session",
                "--dest",
                "org.freedesktop.secrets",
                "--object-path",
            ])
            .args(["/org/freedesktop/secrets", "--method"])
            .arg(format!("org.freedesktop.Secret.Service.{method}"))
            .args(args)
            .stdout(Stdio::piped())
            .output()
            .expect("gdbus (package libglib2.0-bin)");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// How many items of whoever the login collection holds.
    pub fn items(&self) -> usize {
        let output = self
            .command("gdbus")
            .args(["call", "--session", "--dest", "org.freedesktop.secrets"])
            .args(["--object-path", "/org/freedesktop/secrets/collection/login"])
            .args(["--method", "org.freedesktop.DBus.Properties.Get"])
            .args(["org.freedesktop.Secret.Collection", "Items"])
            .stdout(Stdio::piped())
            .output()
            .expect("gdbus (package libglib2.0-bin)");
        let list = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            list.contains("objectpath") || list.contains("@ao []"),
            "{list}"
        );
        list.matches("/collection/login/").count()
    }

    /// Locks the login collection.
    pub fn lock_keyring(&self) {
        let locked = self.call_secrets("Lock", &["['/org/freedesktop/secrets/collection/login']"]);
        assert!(locked.contains("login"), "{locked}");
    }

    /// Ends gnome-keyring.
    pub fn stop_keyring(&mut self) {
        if let Some(mut keyring) = self.keyring.take() {
            let _ = keyring.kill();
            let _ = keyring.wait();
        }
        until_true("the name to be given up", || {
            !self.has_name("org.freedesktop.secrets")
        });
    }

    /// Starts Xvfb and dunst.
    pub fn start_notifications(&mut self) {
        let mut screen = self
            .command("Xvfb")
            .args([
                "-displayfd",
                "1",
                "-screen",
                "0",
                "640x480x24",
                "-nolisten",
                "tcp",
            ])
            .stdout(Stdio::piped())
            .spawn()
            .expect("Xvfb (package xvfb)");
        let mut number = String::new();
        BufReader::new(screen.stdout.take().unwrap())
            .read_line(&mut number)
            .unwrap();
        self.display = Some(format!(":{}", number.trim()));
        self.others.push(screen);
        // Equal ones are counted one by one, and none leaves the history.
        let config = self.home.join("dunstrc");
        let text =
            "[global]\nstack_duplicates = false\nhistory_length = 0\nnotification_limit = 0\n";
        std::fs::write(&config, text).unwrap();
        let dunst = self
            .command("dunst")
            .arg("-conf")
            .arg(config)
            .spawn()
            .expect("dunst (package dunst)");
        self.others.push(dunst);
        self.wait_for_name("org.freedesktop.Notifications");
    }

    /// Starts the stand-in of logind and of a screen saver.
    pub fn start_screen_services(&mut self) {
        self.screen = Some(ScreenServices::start(&self.address));
    }

    /// Somebody takes the notification service's name and answers nothing.
    pub fn hang_notifications(&mut self) {
        let hung = self
            .command("python3")
            .args(["-c", HUNG])
            .spawn()
            .expect("python3");
        self.others.push(hung);
        self.wait_for_name("org.freedesktop.Notifications");
    }

    /// Titles of all notifications so far, oldest first.
    pub fn notifications(&self) -> Vec<String> {
        let output = self
            .command("dunstctl")
            .arg("history")
            .stdout(Stdio::piped())
            .output()
            .unwrap();
        let history: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let mut titles: Vec<String> = history["data"][0]
            .as_array()
            .map(|list| {
                list.iter()
                    .filter_map(|n| n["summary"]["data"].as_str().map(str::to_owned))
                    .collect()
            })
            .unwrap_or_default();
        titles.reverse();
        titles
    }

    /// How many notifications are on the screen.
    pub fn displayed(&self) -> usize {
        let output = self
            .command("dunstctl")
            .args(["count", "displayed"])
            .stdout(Stdio::piped())
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout)
            .trim()
            .parse()
            .unwrap_or(0)
    }

    /// Takes all notifications from the screen into the history.
    pub fn close_notifications(&self) {
        let _ = self.command("dunstctl").arg("close-all").status();
    }

    /// Titles of all notifications, oldest first, after one of our own went the same way: what was
    /// sent before it is among them.
    pub fn settled(&self) -> Vec<String> {
        const MARK: &str = "all that was sent";
        let sent = self
            .command("gdbus")
            .args([
                "call",
                "--session",
                "--dest",
                "org.freedesktop.Notifications",
            ])
            .args(["--object-path", "/org/freedesktop/Notifications"])
            .args(["--method", "org.freedesktop.Notifications.Notify"])
            .args(["test", "0", "", MARK, "", "[]", "{}", "0"])
            .status()
            .expect("gdbus (package libglib2.0-bin)");
        assert!(sent.success());
        let mut titles = wait::until("the mark", wait::LONG, || {
            self.close_notifications();
            let titles = self.notifications();
            titles.iter().any(|t| t == MARK).then_some(titles)
        });
        titles.retain(|title| title != MARK);
        titles
    }

    fn has_name(&self, name: &str) -> bool {
        let output = self
            .command("gdbus")
            .args([
                "call",
                "--session",
                "--dest",
                "org.freedesktop.DBus",
                "--object-path",
                "/",
            ])
            .args(["--method", "org.freedesktop.DBus.NameHasOwner", name])
            .stdout(Stdio::piped())
            .output()
            .expect("gdbus (package libglib2.0-bin)");
        String::from_utf8_lossy(&output.stdout).contains("true")
    }

    fn wait_for_name(&self, name: &str) {
        wait::until(name, wait::LONG, || self.has_name(name).then_some(()));
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        self.screen = None;
        self.stop_keyring_quietly();
        for child in self
            .others
            .iter_mut()
            .rev()
            .chain(std::iter::once(&mut self.bus))
        {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Desktop {
    fn stop_keyring_quietly(&mut self) {
        if let Some(mut keyring) = self.keyring.take() {
            let _ = keyring.kill();
            let _ = keyring.wait();
        }
    }
}
