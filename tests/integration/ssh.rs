//! Signing in on a server that is reached by ssh, by a real sshd on loopback. Run as root: the tunnel's other end is a
//! network of its own, as the machine with the browser is.

use crate::device::{Login, confirm, landing, quick};
use crate::support::parts::tool;
use crate::support::port::Port;
use crate::support::wait::until_true;
use crate::support::{Builder, Run, World};
use std::io::Write;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A running sshd whose sessions have the world's home and variables, as a login on a server has.
struct SshServer {
    child: Child,
    port: Port,
    folder: PathBuf,
}

impl SshServer {
    fn start(world: &World) -> Self {
        let port = Port::take();
        let folder = world.home.join("sshd");
        std::fs::create_dir(&folder).unwrap();
        for name in ["host", "key"] {
            let mut keygen = Command::new("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-f", name]);
            assert!(keygen.current_dir(&folder).status().unwrap().success());
        }
        let usual = world.command("env");
        let variables: Vec<String> = usual
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_str()?, value?.to_str()?)))
            .filter(|(name, _)| !["BROWSER", "DISPLAY"].contains(name))
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let at = folder.display();
        let text = format!(
            "ListenAddress 127.0.0.1\nPort {}\nHostKey {at}/host\nAuthorizedKeysFile {at}/key.pub\nPidFile none\n\
             UsePAM no\nStrictModes no\nPermitRootLogin prohibit-password\nPasswordAuthentication no\n\
             LogLevel ERROR\nSetEnv {}\n",
            port.number,
            variables.join(" ")
        );
        std::fs::write(folder.join("config"), text).unwrap();
        let child = Command::new(tool("SSHD"))
            .args(["-D", "-e", "-f"])
            .arg(folder.join("config"))
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("sshd (package openssh-server)");
        let there = port.number;
        until_true("sshd to listen", || {
            TcpStream::connect(("127.0.0.1", there)).is_ok()
        });
        Self {
            child,
            port,
            folder,
        }
    }

    /// What a client needs to know, for a command line.
    fn options(&self) -> String {
        let at = self.folder.display();
        format!(
            "-F none -p {} -i {at}/key -l {} -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=accept-new \
             -o UserKnownHostsFile={at}/known -o LogLevel=ERROR",
            self.port.number,
            user()
        )
    }

    /// `ssh MORE 127.0.0.1 LINE`.
    fn ssh(&self, more: &[&str], line: &str) -> Command {
        let mut command = Command::new("ssh");
        command
            .args(self.options().split(' '))
            .args(more)
            .args(["127.0.0.1", line])
            .stdin(Stdio::null());
        command
    }

    fn run(&self, line: &str) -> Run {
        Run::of(&self.ssh(&[], line).output().expect("ssh"))
    }
}

impl Drop for SshServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn user() -> String {
    let said = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(said.stdout).unwrap().trim().to_owned()
}

/// Without the device flow, so that the browser of another machine is left.
fn by_browser() -> World {
    let forbid = |text: &str| text.replacen("client_id", "device = false\nclient_id", 1);
    Builder::default().config(forbid).start()
}

#[test]
fn by_ssh_the_device_code_is_chosen_and_the_next_session_has_its_tokens() {
    let world = World::start();
    quick(&world);
    world.set_up_git();
    let server = SshServer::start(&world);
    let mut login = Login::start(server.ssh(&[], "oam login acme"));
    let complete = login.until("with the code in it: ");
    confirm(&world, &complete, false);
    login.end().expect(0);
    let status = server.run("oam status --json").expect(0).json();
    assert_eq!(status["orgs"][0]["subject"], "ada", "{status}");
    let url = world.hub.get("url");
    let listed = server
        .run(&format!("git ls-remote {url}/acme/model"))
        .expect(0);
    assert!(listed.stdout.contains("refs/heads/"), "{}", listed.stdout);
}

#[test]
fn by_ssh_the_address_where_the_other_browser_ended_is_pasted() {
    let world = by_browser();
    let server = SshServer::start(&world);
    let command = server.ssh(&["-tt"], "oam login acme --no-browser 2>&1");
    let (mut login, mut typed) = Login::on_a_terminal(command);
    let url = login.address();
    login.until("paste it here");
    let landed = landing(&world, &url);
    writeln!(typed, "{landed}").unwrap();
    login.until("to acme as ada");
    drop(typed);
    login.end().expect(0);
    assert_eq!(world.status()["subject"], "ada");
}

#[test]
fn the_printed_tunnel_leads_the_other_machines_browser_back() {
    let world = by_browser();
    let server = SshServer::start(&world);
    let command = server.ssh(&["-tt"], "oam login acme --no-browser 2>&1");
    let (mut login, typed) = Login::on_a_terminal(command);
    let url = login.address();
    let printed = login.until("ssh -L ");
    let (forward, host) = printed.split_once(' ').unwrap();
    let wanted = format!("-p {} ada@127.0.0.1", server.port.number);
    assert!(host.starts_with(&wanted), "{printed}");
    login.until("paste it here");
    let landed = landing(&world, &url);

    // The other machine: a network with nothing in it but its own loopback. Only ssh's connection leads out of it.
    let options = server.options();
    let here = format!("/proc/{}/ns/net", std::process::id());
    let way = format!(
        "nsenter --net={here} ssh {options} -W 127.0.0.1:{} 127.0.0.1",
        server.port.number
    );
    let script = format!(
        "ip link set lo up\n\
         ssh {options} -o ExitOnForwardFailure=yes -o 'ProxyCommand={way}' -f -N -L {forward} 127.0.0.1 >/dev/null 2>&1\n\
         curl -sS --max-time 20 -o /dev/null -w '%{{http_code}}' '{landed}'",
    );
    let mut other = Command::new("unshare");
    // What is left of it ends with the script.
    other.args([
        "--net",
        "--pid",
        "--fork",
        "--kill-child",
        "sh",
        "-euc",
        &script,
    ]);
    let run = Run::of(&other.output().expect("unshare"));
    assert_eq!(run.stdout, "200", "{}", run.stderr);
    login.until("to acme as ada");
    drop(typed);
    login.end().expect(0);
}
