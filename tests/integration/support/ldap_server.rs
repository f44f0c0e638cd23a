//! `slapd` with a company in it, by TLS, with a folder and certificates of its own.

use super::port::Port;
use super::wait::until_true;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const SUFFIX: &str = "dc=acme,dc=example";
const SECRET: &str = "t1ger";

/// How a directory is reached.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum LdapWay {
    /// TLS from the start.
    Tls,
    /// TLS on the plain port.
    StartTls,
    /// Open, which only loopback may be.
    Plain,
}

/// A directory that runs.
pub struct LdapServer {
    child: Child,
    way: LdapWay,
    port: Port,
    // Last, so that it goes after the process.
    folder: tempfile::TempDir,
}

impl LdapServer {
    /// With these people, and groups with their members; by TLS.
    pub fn start(people: &[&str], groups: &[(&str, &[&str])]) -> Self {
        Self::by(LdapWay::Tls, people, groups)
    }

    /// The same by another way.
    pub fn by(way: LdapWay, people: &[&str], groups: &[(&str, &[&str])]) -> Self {
        let folder = tempfile::Builder::new().prefix("oam-l").tempdir().unwrap();
        let port = Port::take();
        certificates(folder.path());
        std::fs::create_dir(folder.path().join("db")).unwrap();
        std::fs::write(folder.path().join("secret"), SECRET).unwrap();
        super::world::set_mode(&folder.path().join("secret"), 0o600);
        let config = folder.path().join("slapd.conf");
        std::fs::write(&config, settings(folder.path())).unwrap();
        fed("/usr/sbin/slapadd", &config, &entries(people, groups));
        let child = serve(&config, &url(way, &port), &port);
        Self {
            child,
            way,
            port,
            folder,
        }
    }

    /// Makes these changes while nobody can read: what is read next has all of them.
    pub fn modify_at_once(&mut self, changes: &str) {
        self.stop();
        let config = self.folder.path().join("slapd.conf");
        fed("/usr/sbin/slapmodify", &config, changes);
        self.again();
    }

    /// Another authority of the same name stands in `ca_file` from now on; the server keeps its certificate.
    pub fn other_authority(&self) {
        authority(self.folder.path());
    }

    /// Comes back after `stop`, with all that it had.
    pub fn again(&mut self) {
        let config = self.folder.path().join("slapd.conf");
        self.child = serve(&config, &url(self.way, &self.port), &self.port);
    }

    /// Where it listens; free for another server after `stop`.
    pub fn port(&self) -> u16 {
        self.port.number
    }

    /// The table of a source's directory that is read there every second.
    pub fn settings(&self, source: &str) -> String {
        let at = |name: &str| self.folder.path().join(name).display().to_string();
        format!(
            "[sources.{source}.directory]\nkind = \"ldap\"\nurl = \"{}\"\nstart_tls = {}\nca_file = \"{}\"\n\
             bind_dn = \"cn=reader,{SUFFIX}\"\nsecret = {{ file = \"{}\" }}\nbase = \"{SUFFIX}\"\n\
             disabled = \"employeeType\"\ndisabled_values = [\"left\"]\nevery = \"1s\"\n",
            url(self.way, &self.port),
            self.way == LdapWay::StartTls,
            at("ca.pem"),
            at("secret"),
        )
    }

    /// Changes somebody's entry as an administrator does.
    pub fn modify(&self, who: &str, change: &str) {
        let url = url(self.way, &self.port);
        let mut modify = Command::new("ldapmodify")
            .args([
                "-x",
                "-H",
                &url,
                "-D",
                &format!("cn=admin,{SUFFIX}"),
                "-w",
                SECRET,
            ])
            .env("LDAPTLS_CACERT", self.folder.path().join("ca.pem"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("ldapmodify (package ldap-utils)");
        let text = format!("dn: {who},{SUFFIX}\nchangetype: modify\n{change}\n");
        modify
            .stdin
            .take()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        assert!(modify.wait().unwrap().success(), "{text}");
    }

    pub fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for LdapServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Runs a program of `slapd` on its database while it is down.
fn fed(program: &str, config: &Path, text: &str) {
    let mut child = Command::new(program)
        .arg("-f")
        .arg(config)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap_or_else(|why| panic!("{program} (package slapd): {why}"));
    let mut input = child.stdin.take().unwrap();
    input.write_all(text.as_bytes()).unwrap();
    drop(input);
    assert!(child.wait().unwrap().success(), "{program}");
}

fn url(way: LdapWay, port: &Port) -> String {
    let scheme = match way {
        LdapWay::Tls => "ldaps",
        LdapWay::StartTls | LdapWay::Plain => "ldap",
    };
    format!("{scheme}://127.0.0.1:{}", port.number)
}

fn serve(config: &Path, url: &str, port: &Port) -> Child {
    let child = Command::new("/usr/sbin/slapd")
        .args(["-h", url, "-d", "0", "-f"])
        .arg(config)
        .spawn()
        .expect("slapd (package slapd)");
    until_true("slapd to listen", || {
        TcpStream::connect(("127.0.0.1", port.number)).is_ok()
    });
    child
}

fn settings(folder: &Path) -> String {
    let folder = folder.display();
    let schema: String = ["core", "cosine", "inetorgperson"]
        .iter()
        .map(|name| format!("include /etc/ldap/schema/{name}.schema\n"))
        .collect();
    format!(
        "{schema}modulepath /usr/lib/ldap\nmoduleload back_mdb\npidfile {folder}/pid\n\
         TLSCACertificateFile {folder}/ca.pem\nTLSCertificateFile {folder}/server.pem\n\
         TLSCertificateKeyFile {folder}/server.key\ndatabase mdb\nsuffix \"{SUFFIX}\"\n\
         rootdn \"cn=admin,{SUFFIX}\"\nrootpw {SECRET}\ndirectory {folder}/db\n\
         limits dn.exact=\"cn=reader,{SUFFIX}\" size=500 size.prtotal=unlimited\n"
    )
}

fn entries(people: &[&str], groups: &[(&str, &[&str])]) -> String {
    let mut text = format!(
        "dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\no: Acme\ndc: acme\n\n\
         dn: cn=reader,{SUFFIX}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: reader\n\
         userPassword: {SECRET}\n\n"
    );
    for name in people {
        let _ = write!(
            text,
            "dn: uid={name},{SUFFIX}\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {name}\nsn: {name}\nmail: {name}@acme.example\n\n"
        );
    }
    for (name, members) in groups {
        let _ = write!(
            text,
            "dn: cn={name},{SUFFIX}\nobjectClass: groupOfNames\ncn: {name}\n"
        );
        for member in *members {
            let _ = writeln!(text, "member: uid={member},{SUFFIX}");
        }
        text.push('\n');
    }
    text
}

const NEW_KEY: [&str; 5] = [
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
];

fn openssl(folder: &Path, args: &[&str]) {
    let mut run = Command::new("openssl");
    let run = run
        .args(args)
        .current_dir(folder)
        .output()
        .expect("openssl");
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{said}");
}

/// A root.
fn authority(folder: &Path) {
    let args = "req -x509 -days 2 -subj /CN=Acme -keyout ca.key -out ca.pem";
    let args: Vec<&str> = args.split(' ').chain(NEW_KEY).collect();
    openssl(folder, &args);
}

/// A root, and a certificate of 127.0.0.1 by it.
fn certificates(folder: &Path) {
    authority(folder);
    let request = "req -subj /CN=127.0.0.1 -keyout server.key -out server.csr";
    let request: Vec<&str> = request.split(' ').chain(NEW_KEY).collect();
    openssl(folder, &request);
    std::fs::write(folder.join("server.ext"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    let sign = "x509 -req -days 2 -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile server.ext -out server.pem";
    let sign: Vec<&str> = sign.split(' ').collect();
    openssl(folder, &sign);
}
