//! Apache and nginx as processes, with a configuration and a folder of a test's own.

use super::parts::tool;
use super::port::Port;
use super::wait::until_true;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::fmt::Write as _;
use std::fs::File;
use std::net::TcpStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Debian's user of web servers. As root a server gives its rights up for it; anybody else stays who they are.
const WWW_DATA: u32 = 33;

/// A folder that the servers' user can get into, and the processes in it. They end with it.
pub struct WebServer {
    children: Vec<Child>,
    folder: tempfile::TempDir,
}

impl Default for WebServer {
    fn default() -> Self {
        let folder = tempfile::Builder::new().prefix("oam-w").tempdir().unwrap();
        super::world::set_mode(folder.path(), 0o755);
        Self {
            children: Vec::new(),
            folder,
        }
    }
}

impl WebServer {
    /// Where everything of it lies.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Gives what lies in the folder below this name to the servers' user.
    pub fn give(&self, name: &str) {
        if is_root() {
            let owner = format!("{WWW_DATA}:{WWW_DATA}");
            let mut chown = Command::new("chown");
            chown.arg("-R").arg(owner).arg(self.folder().join(name));
            assert!(chown.status().unwrap().success());
        }
    }

    /// Starts Apache with these modules, this text and environment.
    pub fn apache(
        &mut self,
        port: &Port,
        modules: &[&str],
        text: &str,
        environment: &[(&str, &str)],
    ) {
        let mut all = format!(
            "ServerRoot {folder}\nServerName 127.0.0.1\nListen 127.0.0.1:{port}\nPidFile {folder}/pid\n\
             ErrorLog /dev/stderr\nKeepAlive Off\nMutex file:{folder}\n",
            folder = self.folder().display(),
            port = port.number,
        );
        for module in ["mpm_prefork", "authn_core", "authz_core", "authz_user"]
            .iter()
            .chain(modules)
        {
            let _ = writeln!(
                all,
                "LoadModule {module}_module /usr/lib/apache2/modules/mod_{module}.so"
            );
        }
        if is_root() {
            let _ = writeln!(all, "User #{WWW_DATA}\nGroup #{WWW_DATA}");
        }
        all.push_str(text);
        let config = self.write("apache.conf", &all);
        let mut command = Command::new(tool("APACHE"));
        command.args(["-D", "FOREGROUND", "-f"]).arg(config);
        self.spawn(&mut command, environment);
        listens(port);
    }

    /// Starts nginx with this `server`.
    pub fn nginx(&mut self, port: &Port, server: &str) {
        let folder = self.folder().display().to_string();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {folder}/{kind};"))
            .join(" ");
        let text = format!(
            "daemon off; master_process off; error_log stderr warn; pid {folder}/pid;\nevents {{ }}\n\
             http {{ access_log off; {temporary}\nserver {{\n{server}\n}} }}\n"
        );
        let config = self.write("nginx.conf", &text);
        let mut nginx = Command::new(tool("NGINX"));
        nginx
            .args(["-e", "stderr", "-p", &folder, "-c"])
            .arg(config);
        self.spawn(&mut nginx, &[]);
        listens(port);
    }

    /// Starts fcgiwrap as the servers' user; its socket lies below a folder that was given to them.
    pub fn fcgiwrap(&mut self, socket: &str) -> PathBuf {
        let socket = self.folder().join(socket);
        let mut wrap = Command::new(tool("FCGIWRAP"));
        wrap.arg("-s").arg(format!("unix:{}", socket.display()));
        if is_root() {
            wrap.uid(WWW_DATA).gid(WWW_DATA);
        }
        self.spawn(&mut wrap, &[]);
        until_true("fcgiwrap to listen", || socket.exists());
        socket
    }

    /// Writes a file into the folder.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn spawn(&mut self, command: &mut Command, environment: &[(&str, &str)]) {
        let log = || -> Stdio {
            let log = File::options()
                .create(true)
                .append(true)
                .open(self.folder().join("log"));
            log.unwrap().into()
        };
        let child = command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin")
            .envs(environment.iter().copied())
            // With what it starts it is one group, and ends as one.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log())
            .stderr(log())
            .spawn();
        self.children
            .push(child.unwrap_or_else(|fault| panic!("{command:?}: {fault}")));
    }
}

fn listens(port: &Port) {
    until_true("the server to listen", || {
        TcpStream::connect(("127.0.0.1", port.number)).is_ok()
    });
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

impl Drop for WebServer {
    fn drop(&mut self) {
        for child in &mut self.children {
            let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
            let Some(group) = group else { continue };
            // Asked first, so that it takes its own children with it.
            let _ = kill_process(group, Signal::TERM);
            let end = Instant::now() + Duration::from_secs(5);
            while matches!(child.try_wait(), Ok(None)) && Instant::now() < end {
                std::thread::park_timeout(Duration::from_millis(10));
            }
            let _ = kill_process_group(group, Signal::KILL);
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder().join("log")).unwrap_or_default();
            let _ = std::io::Write::write_all(&mut std::io::stderr(), log.as_bytes());
        }
    }
}
