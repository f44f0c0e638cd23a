//! The lines of `oam help company` for setting one up, run as they stand there: the files that the package installs,
//! the user that it makes, the unit's own command line, and a person who signs in.
//!
//! Only names of places are changed: the root of the file system is a folder, and the example's provider and public
//! address are those of the test.

use crate::support::builder::Builder;
use crate::support::http::Ask;
use crate::support::parts::package;
use crate::support::port::Port;
use crate::support::wait::{LONG, until};
use crate::support::world::{Run, World, set_mode};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

const PUBLIC: &str = "https://issuer.acme.example";
const UNIT: &str = "usr/lib/systemd/system/oam-issuer.service";

fn text(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The lines of the block below "For people", comments left out.
fn lines() -> Vec<String> {
    let page = text(package().join("src/cli/help/company.md"));
    let rest = page.split("## For people").nth(1).expect("the section");
    let block = rest.split("```").nth(1).expect("its block");
    let lines = block
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

/// The values of a key of the unit.
fn unit(root: &Path, key: &str) -> String {
    let prefix = format!("{key}=");
    let unit = text(root.join(UNIT));
    let found = unit.lines().find_map(|line| line.strip_prefix(&prefix));
    found.unwrap_or_else(|| panic!("no {key}=")).to_owned()
}

/// Source, and place with mode, of a line of the package's manifest that names a file of the .deb.
fn listed(line: &str) -> Option<(&str, (&str, u32))> {
    let line = line.trim().strip_prefix("- { src: ")?;
    let (from, rest) = line.split_once(", dst: ")?;
    let to = rest.split(',').next()?;
    let mode = rest.split_once("mode: ")?.1.split(' ').next()?;
    let mode = u32::from_str_radix(mode, 8).ok()?;
    (!rest.contains("packager: rpm")).then_some((from.trim_matches('"'), (to, mode)))
}

/// A machine on which the package was installed, in a folder.
struct Machine {
    root: PathBuf,
    owner: (u32, u32),
    _folder: tempfile::TempDir,
}

impl Machine {
    fn installed() -> Self {
        let folder = tempfile::Builder::new().prefix("oam-m").tempdir().unwrap();
        // The system user has to get through it.
        set_mode(folder.path(), 0o755);
        let root = folder.path().join("root");
        // The files of the package, by its own manifest.
        let manifest = text(package().join("packaging/nfpm/oam-issuer.yaml"));
        let mut put = 0;
        for line in manifest.lines() {
            let Some((from, (to, mode))) = listed(line) else {
                continue;
            };
            let from = match from.strip_prefix("${OAM_PROGRAMS}/") {
                Some(program) => PathBuf::from(oam::program(program)),
                // Pages and completions, which packing makes.
                None if from.starts_with('$') => continue,
                None => package().join(from),
            };
            let to = root.join(to.trim_start_matches('/'));
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(&from, &to).unwrap_or_else(|e| panic!("{}: {e}", from.display()));
            set_mode(&to, mode);
            put += 1;
        }
        assert!(put >= 8, "{put} files of the manifest");
        let script = |kind: &str| {
            let scripts = package().join("packaging/nfpm/scripts");
            text(scripts.join(kind).join("oam-issuer-installed"))
        };
        let scripts = [script("deb"), script("rpm")];
        // What they tell to do next is what the page says, word by word.
        for told in scripts.iter().flat_map(|text| text.lines()) {
            if let Some(command) = told
                .strip_prefix("  ")
                .filter(|told| told.starts_with("sudo"))
            {
                assert!(lines().iter().any(|line| line == command), "{command}");
            }
        }
        // And what its postinst does.
        std::fs::create_dir_all(root.join("etc")).unwrap();
        for (tool, more) in [
            ("systemd-sysusers", None),
            ("systemd-tmpfiles", Some("--create")),
        ] {
            let call = more.map_or("oam-issuer.conf".to_owned(), |m| {
                format!("{m} oam-issuer.conf")
            });
            assert!(
                scripts
                    .iter()
                    .all(|s| s.contains(&format!("{tool} {call}"))),
                "postinst runs {tool}"
            );
            let run = Command::new(tool)
                .arg(format!("--root={}", root.display()))
                .args(more)
                .arg("oam-issuer.conf")
                .output()
                .unwrap_or_else(|e| panic!("{tool} (package systemd): {e}"));
            Run::of(&run).expect(0);
        }
        let about = std::fs::metadata(root.join("etc/oam/secrets")).unwrap();
        assert_eq!(about.mode() & 0o777, 0o700);
        assert_ne!(about.uid(), 0, "the secrets are the service's own");
        Self {
            owner: (about.uid(), about.gid()),
            root,
            _folder: folder,
        }
    }

    /// The same text with this machine's places.
    fn mapped(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for place in ["/etc/oam", "/var/lib/oam", "/usr/share/doc"] {
            text = text.replace(place, &format!("{}{place}", self.root.display()));
        }
        text
    }

    fn edit(&self, name: &str, changes: &[(&str, &str)]) {
        let path = self.root.join("etc/oam").join(name);
        let mut new = self.mapped(&text(&path));
        for (old, value) in changes {
            assert!(new.contains(old), "{name}: no {old}");
            new = new.replace(old, value);
        }
        std::fs::write(&path, new).unwrap();
    }

    /// One line in an administrator's shell. `sudo -u oam` really becomes that user.
    fn shell(&self, line: &str) -> Run {
        let (uid, gid) = self.owner;
        let sudo = format!(
            "sudo() {{ if [ \"$1\" = -u ]; then [ \"$2\" = oam ]; shift 2; \
             setpriv --reuid={uid} --regid={gid} --clear-groups -- \"$@\"; else \"$@\"; fi; }}"
        );
        let output = Command::new("bash")
            .args(["-euc", &format!("{sudo}\n{}", self.mapped(line))])
            .env_clear()
            .env(
                "PATH",
                format!("{}/usr/bin:/usr/bin:/bin", self.root.display()),
            )
            .env("OAM_ISSUER_CONFIG", self.root.join("etc/oam/issuer.toml"))
            .current_dir(&self.root)
            .output()
            .unwrap();
        Run::of(&output)
    }

    /// What the service manager would start, as the user of the unit.
    fn serve(&self) -> Child {
        assert_eq!(
            (
                unit(&self.root, "User").as_str(),
                unit(&self.root, "StateDirectory").as_str()
            ),
            ("oam", "oam")
        );
        let start = unit(&self.root, "ExecStart");
        let mut words = start.split(' ').map(|word| self.mapped(word));
        let program = words.next().unwrap();
        let installed = format!("{}{program}", self.root.display());
        assert!(
            Path::new(&installed).is_file(),
            "the package has no {program}"
        );
        Command::new("setpriv")
            .arg(format!("--reuid={}", self.owner.0))
            .arg(format!("--regid={}", self.owner.1))
            .args(["--clear-groups", "--", &installed])
            .args(words)
            .env_clear()
            .spawn()
            .unwrap()
    }
}

struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_help_pages_lines_set_a_company_up_from_the_package_to_a_sign_in_as_root() {
    let machine = Machine::installed();
    let world: World = Builder::default().unconfigured().start();
    let port = Port::take();
    let url = port.url();
    let idp = world.idp.get("issuer").to_owned();
    let mut server = None;
    let mut done = Vec::new();
    for line in lines() {
        let command = line.split(" # ").next().unwrap().trim().to_owned();
        let local = line.replace(PUBLIC, &url);
        match command.as_str() {
            "sudo apt install ./oam-issuer_*.deb" => {}
            "sudo systemctl enable --now oam-issuer" => {
                server = Some(Served(machine.serve()));
                until("the service to be ready", LONG, || {
                    let answer = Ask::get(&format!("{url}/readyz")).try_send();
                    answer.is_ok_and(|a| a.status == 200).then_some(())
                });
            }
            "oam login https://issuer.acme.example" => {
                let mut login = world.oam_command(&["login", &url]);
                login.env("OAM_TEST_ACCOUNT", "ada");
                login.env("OAM_TEST_COOKIES", world.home.join("cookies"));
                Run::of(&login.output().unwrap()).expect(0);
            }
            other => {
                let run = machine.shell(&local).expect(0);
                if other.starts_with("curl") {
                    assert!(run.stdout.contains("\"ready\":true"), "{}", run.stdout);
                }
            }
        }
        if command.ends_with("/etc/oam/issuer.toml") {
            machine.edit(
                "issuer.toml",
                &[
                    (PUBLIC, &url),
                    ("127.0.0.1:8443", &format!("127.0.0.1:{}", port.number)),
                    ("https://acme.okta.com", &idp),
                    ("0oa1example", "oam"),
                    // Okta's access tokens are JWTs that name their client; this provider's are opaque.
                    (
                        "{ check = \"userinfo\" }",
                        "{ check = \"userinfo\", any_client = true }",
                    ),
                ],
            );
        }
        if command.ends_with("/etc/oam/policy.toml") {
            machine.edit("policy.toml", &[("0oa1example", "oam"), ("53682", "0")]);
        }
        done.push(command);
    }
    assert!(done.len() >= 10, "{done:#?}");
    assert!(server.is_some());
    let told = world.oam(&["roles"]).expect(0).stdout;
    assert!(told.contains("model-reader"), "{told}");

    // While it serves, an administrator's commands work on the same files, and leave none that it can't read.
    for line in [
        "sudo -u oam oam-issuer keys rotate",
        "sudo -u oam oam-issuer people ada",
        "sudo -u oam oam-issuer audit verify",
    ] {
        machine.shell(line).expect(0);
    }
    for entry in std::fs::read_dir(machine.root.join("var/lib/oam")).unwrap() {
        let entry = entry.unwrap();
        let about = entry.metadata().unwrap();
        assert_eq!(about.uid(), machine.owner.0, "{}", entry.path().display());
        assert_eq!(about.mode() & 0o077, 0, "{}", entry.path().display());
    }
}
