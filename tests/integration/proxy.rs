//! A company's proxy that wants a user name and password: Apache's, which nobody here wrote. The issuer lies behind
//! it, by https and a name that only the proxy knows.

use crate::support::http::base64;
use crate::support::port::Port;
use crate::support::web_server::WebServer;
use crate::support::world::set_mode;
use crate::support::{Company, Plan, Run};
use serde_json::json;
use std::path::PathBuf;
use std::process::Command;

/// What only the proxy can resolve.
const NAME: &str = "issuer.acme.test";

struct Behind {
    company: Company,
    /// Keeps the certificate, the server that ends TLS, and the proxy.
    _servers: [WebServer; 2],
    proxy: String,
    ca: PathBuf,
    _ports: [Port; 2],
}

impl Behind {
    fn start() -> Self {
        let (front, way) = (Port::take(), Port::take());
        let public = format!("https://{NAME}:{}", front.number);
        let url = public.clone();
        let mut company = Plan::default()
            .settings(move |text| {
                let (first, rest) = text.split_once('\n').unwrap();
                assert!(first.starts_with("url = "));
                format!("url = \"{url}\"\ntrusted_proxies = [\"127.0.0.1/32\"]\n{rest}")
            })
            .start();
        company.url = public;
        let mut tls = WebServer::default();
        let ca = certificate(&tls);
        let server = format!(
            "listen 127.0.0.1:{} ssl; ssl_certificate {folder}/ca.pem; ssl_certificate_key {folder}/key.pem;\n\
             location / {{ proxy_pass {inner}; proxy_buffering off; proxy_http_version 1.1; proxy_read_timeout 300s;\n\
             proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $remote_addr; }}",
            front.number,
            folder = tls.folder().display(),
            inner = company.inner,
        );
        tls.nginx(&front, &server);
        let mut proxy = WebServer::default();
        // `ada:swordfish`, in the form that every Apache takes.
        let hash = Command::new("openssl")
            .args(["passwd", "-apr1", "swordfish"])
            .output();
        let hash = String::from_utf8(hash.unwrap().stdout).unwrap();
        let users = proxy.write("users", &format!("ada:{hash}"));
        let names = proxy.write("hosts", &format!("127.0.0.1 {NAME}\n"));
        let text = format!(
            "ProxyRequests On\nAllowCONNECT {}\n<Proxy *>\n  AuthType Basic\n  AuthName company\n  AuthBasicProvider file\n  \
             AuthUserFile {}\n  Require valid-user\n</Proxy>\n",
            front.number,
            users.display(),
        );
        let modules = ["auth_basic", "authn_file", "proxy", "proxy_connect"];
        let names = names.display().to_string();
        let names = [
            ("LD_PRELOAD", "libnss_wrapper.so"),
            ("NSS_WRAPPER_HOSTS", &names),
        ];
        proxy.apache(&way, &modules, &text, &names);
        Self {
            company,
            _servers: [tls, proxy],
            proxy: way.url(),
            ca,
            _ports: [front, way],
        }
    }

    /// `oam login URL` by this proxy, with this user name and password.
    fn login(&self, proxy: &str, pair: Option<&str>) -> Run {
        let mut login = self.company.login_command("ada");
        login.arg("--ca").arg(&self.ca).args(["--proxy", proxy]);
        if let Some(pair) = pair {
            login.arg("--proxy-auth-file").arg(self.pair(pair));
        }
        Run::of(&login.output().unwrap())
    }

    /// The same by somebody whose machine does not know the company's authority.
    fn login_without_ca(&self) -> Run {
        let mut login = self.company.login_command("ada");
        let pair = self.pair("ada:swordfish");
        login.args(["--proxy", &self.proxy, "--proxy-auth-file"]);
        Run::of(&login.arg(pair).output().unwrap())
    }

    fn pair(&self, pair: &str) -> PathBuf {
        let path = self.company.world.home.join("proxy-auth");
        std::fs::write(&path, format!("{pair}\n")).unwrap();
        set_mode(&path, 0o600);
        path
    }
}

fn certificate(tls: &WebServer) -> PathBuf {
    let san = format!("subjectAltName=DNS:{NAME}");
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
        ])
        .args([
            "-subj",
            "/CN=acme",
            "-addext",
            &san,
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-keyout",
            "key.pem",
            "-out",
            "ca.pem",
        ])
        .current_dir(tls.folder())
        .output()
        .expect("openssl");
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    tls.folder().join("ca.pem")
}

#[test]
fn a_proxy_that_wants_a_password_gets_it_from_a_private_file_and_is_named_when_it_says_no() {
    let behind = Behind::start();
    let world = &behind.company.world;
    for pair in [None, Some("ada:wrong")] {
        let refused = behind.login(&behind.proxy, pair);
        assert_ne!(refused.code, 0);
        assert!(refused.stderr.contains("(407)"), "{}", refused.stderr);
        assert!(
            refused.stderr.contains("proxy_auth_file"),
            "{}",
            refused.stderr
        );
    }
    let gone = Port::take();
    let dead = behind.login(&gone.url(), None);
    assert!(
        dead.stderr.contains("the proxy refused the connection"),
        "{}",
        dead.stderr
    );
    let stranger = behind.login_without_ca();
    for said in [
        "certificate is not trusted",
        "signed by \"CN=acme\"",
        "--ca FILE",
    ] {
        assert!(stranger.stderr.contains(said), "{}", stranger.stderr);
    }
    behind.login(&behind.proxy, Some("ada:swordfish")).expect(0);
    let config = std::fs::read_to_string(world.config_path()).unwrap();
    assert!(
        config.contains("proxy_auth_file = ") && !config.contains("swordfish"),
        "{config}"
    );
    world.oam(&["roles", "--json"]).expect(0);
    let said = world.oam(&["doctor"]);
    let secret = base64(b"ada:swordfish");
    for text in [&config, &said.stdout, &said.stderr, &behind.company.log()] {
        assert!(
            !text.contains("swordfish") && !text.contains(&secret),
            "{text}"
        );
    }
    // Another password: taken over without a new sign-in.
    behind.pair("ada:expired");
    let refused = world.oam(&["token", "--repo", "acme/model"]);
    assert_ne!(refused.code, 0);
    assert!(refused.stderr.contains("(407)"), "{}", refused.stderr);
    behind.pair("ada:swordfish");
    world.oam(&["token", "--repo", "acme/model"]).expect(0);
}

#[test]
fn a_ci_job_takes_the_proxy_and_its_password_from_the_environment() {
    let behind = Behind::start();
    let company = &behind.company;
    let identity = company.job_token(&json!({}));
    let token = |pair: &str| {
        let issuer = ["--issuer", &company.url];
        let what = ["--hub", "hub", "--repo", "acme/model", "--write"];
        let mut job = company.world.oam_command(&["token"]);
        let proxy = behind.proxy.replace("http://", &format!("http://{pair}@"));
        job.args(issuer).args(what).env("OAM_ID_TOKEN", &identity);
        job.env("HTTPS_PROXY", proxy)
            .env("SSL_CERT_FILE", &behind.ca);
        Run::of(&job.output().unwrap())
    };
    let refused = token("ada:hunter2").expect(1);
    assert!(refused.stderr.contains("(407)"), "{}", refused.stderr);
    assert!(!refused.stderr.contains("hunter2"), "{}", refused.stderr);
    assert!(!token("ada:swordfish").expect(0).stdout.is_empty());
}

/// The issuer asks its sources as the agent asks the issuer: here the source is another face of itself.
#[test]
fn the_issuer_asks_a_source_behind_such_a_proxy_and_its_doctor_names_a_407() {
    let behind = Behind::start();
    let company = &behind.company;
    let file = behind.pair("ada:wrong");
    let settings = std::fs::read_to_string(company.folder.join("issuer.toml")).unwrap();
    let settings = format!(
        "proxy = \"{}\"\nproxy_auth_file = \"{}\"\nca_file = \"{}\"\n{settings}\n\
         [sources.behind]\nkind = \"job\"\nissuer = \"{}\"\naudiences = [\"oam\"]\n",
        behind.proxy,
        file.display(),
        behind.ca.display(),
        company.url,
    );
    let path = company.folder.join("behind.toml");
    std::fs::write(&path, settings).unwrap();
    let doctor = || {
        let issuer = oam::program("oam-issuer");
        let args = ["--config", path.to_str().unwrap(), "doctor"];
        let run = company.world.run(issuer, &args);
        let lines = run.stdout + &run.stderr;
        let found = lines.lines().find(|line| line.contains("source behind"));
        found.unwrap_or_else(|| panic!("{lines}")).to_owned()
    };
    let refused = doctor();
    assert!(refused.contains("(407)"), "{refused}");
    behind.pair("ada:swordfish");
    let fits = doctor();
    assert!(fits.starts_with("ok"), "{fits}");
}
