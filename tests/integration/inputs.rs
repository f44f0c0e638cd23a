//! Helper inputs that the front alone can't judge: real helper, real agent (R5–R10).
//! What the front does by itself is in `tests/fronts`.

use crate::support::{Builder, Run, World};
use serde_json::json;
use std::io::Write as _;
use std::process::Stdio;

fn signed_in() -> World {
    let world = World::start();
    world.login();
    world
}

/// The helper with these arguments and this input.
fn helper(world: &World, args: &[&str], input: &str) -> Run {
    let mut command = world.command(oam::program("git-credential-oam"));
    World::feed(command.args(args), input.as_bytes())
}

/// `get` for a protocol, host and path.
fn get(world: &World, args: &[&str], protocol: &str, host: &str, path: &str) -> Run {
    let mut words = args.to_vec();
    words.push("get");
    let input = format!("protocol={protocol}\nhost={host}\npath={path}\n\n");
    helper(world, &words, &input)
}

fn authority(world: &World) -> String {
    let url = world.hub.get("url");
    url.trim_start_matches("http://").to_owned()
}

#[track_caller]
fn no_token(run: &Run, what: &str) {
    let secret = run.stdout.contains("password=") || run.stdout.contains("credential=");
    assert!(!secret, "{what}: {}", run.stdout);
    assert_eq!(run.code, 0, "{what}: {}", run.stderr);
}

#[test]
fn r5_only_the_exact_host_and_port_is_ours() {
    let world = signed_in();
    let host = authority(&world);
    let port: u32 = host.rsplit_once(':').unwrap().1.parse().unwrap();
    let exact = get(&world, &[], "http", &host, "acme/model");
    assert!(exact.stdout.contains("password="), "{}", exact.stderr);
    for other in [
        format!("127.0.0.1.:{port}"),
        format!("127.0.0.1:{port}."),
        format!("127.0.0.1:0{port}"),
        format!("127.0.0.1:+{port}"),
        format!("127.0.0.1:{}", port + 65_536),
        format!("127.1:{port}"),
        format!("2130706433:{port}"),
        format!("0x7f.0.0.1:{port}"),
        format!("0177.0.0.1:{port}"),
        format!("[::ffff:127.0.0.1]:{port}"),
        format!("localhost:{port}"),
        format!("user@127.0.0.1:{port}"),
        format!("127.0.0.1:{port}@evil.example"),
        format!("evil.example:{port}"),
        format!("evil.127.0.0.1:{port}"),
        format!("127.0.0.1:{port}.evil.example"),
        format!("127.0.0.1:{port}/"),
        format!("127.0.0.1:{port}#"),
        format!("127.0.0.1%3a{port}"),
        format!("127。0。0。1:{port}"),
        format!("１２７.0.0.1:{port}"),
        format!(" 127.0.0.1:{port}"),
        format!("127.0.0.1:{port}\u{2028}"),
        "127.0.0.1".to_owned(),
        "127.0.0.1:".to_owned(),
        "*".to_owned(),
    ] {
        let run = get(&world, &[], "http", &other, "acme/model");
        no_token(&run, &other);
        assert_eq!(run.stdout, "", "{other}: not ours, so git goes on");
        no_token(
            &get(&world, &["--hub", "hub"], "http", &other, "acme/model"),
            &other,
        );
    }
}

#[test]
fn r6_no_other_protocol_than_the_hubs_own() {
    let world = Builder::default()
        .config(|text| {
            let far = "[orgs.acme.hubs.far]\nurl = \"https://hub.acme.example\"\n\n[orgs.acme.roles.model-reader]";
            text.replace("[orgs.acme.roles.model-reader]", far)
        })
        .start();
    world.login();
    let host = authority(&world);
    let plain = get(&world, &[], "http", "hub.acme.example", "acme/model");
    no_token(&plain, "http's own port is another one, so it is nobody's");
    let plain = get(&world, &[], "http", "hub.acme.example:443", "acme/model");
    no_token(&plain, "http for a hub with https");
    assert!(plain.stdout.contains("quit=1"), "{}", plain.stdout);
    let tls = get(&world, &[], "https", &host, "acme/model");
    no_token(&tls, "https for a hub with http");
    for odd in ["HTTP", "http:", "ftp", "git", "ssh", "file", "http\u{2028}"] {
        let run = get(&world, &[], odd, &host, "acme/model");
        no_token(&run, odd);
    }
    let open = world
        .usual_config()
        .replace(&world.url(""), "http://hub.acme.example/");
    let open = open.replace(world.hub.get("url"), "http://hub.acme.example");
    let draft = world.home.join("draft.toml");
    std::fs::write(&draft, open).unwrap();
    crate::support::world::set_mode(&draft, 0o600);
    let check = world.oam(&["config", "check", draft.to_str().unwrap()]);
    assert_ne!(check.code, 0, "plain http beyond this machine is refused");
}

#[test]
fn r7_the_servers_words_choose_nothing_and_are_not_recorded() {
    let world = signed_in();
    let host = authority(&world);
    let evil = "Bearer realm=\"https://evil.example\", scope=\"role:hub-admin manage\"";
    let input = format!(
        "protocol=http\nhost={host}\npath=acme/model\nwwwauth[]={evil}\nwwwauth[]=host=evil.example\n\n"
    );
    let run = helper(&world, &["--hub", "hub", "get"], &input);
    assert!(run.stdout.contains("password="), "{}", run.stderr);
    let grant = world.last("grant");
    assert_eq!(grant["hub"], "hub");
    assert_ne!(grant["role"], "hub-admin");
    let records = format!("{:?}", world.records());
    assert!(!records.contains("evil"), "{records}");
}

#[test]
fn r8_store_keeps_nothing_and_erase_drops_only_the_token_it_names() {
    let world = signed_in();
    let first = world.token().expect("a token");
    let secret = |operation: &str, password: &str| {
        let run = world.helper(
            operation,
            &format!("path=acme/model\nusername=x\npassword={password}\n"),
        );
        assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{operation}");
    };
    secret("store", "poison");
    secret("erase", "poison");
    assert_eq!(world.token().as_deref(), Some(first.as_str()));
    secret("erase", &first);
    let second = world.token().expect("a token");
    assert_ne!(second, first, "the rejected one is never given again");
    // Another path of the same hub does not reach it.
    let run = world.helper(
        "erase",
        &format!("path=acme/other\nusername=x\npassword={second}\n"),
    );
    run.expect(0);
    assert_eq!(world.status()["standing"], "active", "never the session");
    let unknown = world.helper("capability", "").expect(0);
    assert_eq!((unknown.stdout.as_str(), unknown.stderr.as_str()), ("", ""));
}

#[test]
fn r8_every_answer_has_an_expiry_and_nothing_that_was_not_offered() {
    let world = signed_in();
    let plain = world.helper("get", "path=acme/model\n").expect(0).stdout;
    assert!(plain.contains("password_expiry_utc="), "{plain}");
    for word in ["authtype", "ephemeral", "capability", "credential="] {
        assert!(!plain.contains(word), "{plain}");
    }
    let input = "capability[]=authtype\npath=acme/model\n";
    let offered = world.helper("get", input).expect(0).stdout;
    assert!(offered.contains("ephemeral=1"), "{offered}");
    assert!(offered.contains("password_expiry_utc="), "{offered}");
}

#[test]
fn r9_the_helper_works_within_64_megabytes_and_refuses_more_than_one() {
    let world = signed_in();
    let limited = |input: &[u8]| {
        let mut command = world.command("sh");
        let helper = oam::program("git-credential-oam");
        let script = "ulimit -v 65536; exec \"$0\" --hub hub get";
        World::feed(command.args(["-c", script, helper]), input)
    };
    let host = authority(&world);
    let good = format!("protocol=http\nhost={host}\npath=acme/model\n\n");
    assert!(
        limited(good.as_bytes())
            .expect(0)
            .stdout
            .contains("password=")
    );
    let mut flood = good.trim_end().as_bytes().to_vec();
    flood.push(b'\n');
    while flood.len() < 100 << 20 {
        flood.extend_from_slice(&[b'x'; 1000]);
        flood.extend_from_slice(b"=y\n");
    }
    let run = limited(&flood).expect(0);
    assert_eq!(run.stdout, "quit=1\n");
    assert!(run.stderr.contains("1 MiB"), "{}", run.stderr);
}

#[test]
fn r9_an_input_that_never_ends_meets_the_deadline() {
    let world = signed_in();
    let mut command = world.command(oam::program("git-credential-oam"));
    let mut child = command
        .args(["--hub", "hub", "get"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let host = authority(&world);
    write!(stdin, "protocol=http\nhost={host}\n").unwrap();
    // It ends by itself, while its input is still open.
    let end = Run::of(&child.wait_with_output().unwrap()).expect(0);
    drop(stdin);
    assert_eq!(end.stdout, "quit=1\n");
    assert!(end.stderr.contains("10 seconds"), "{}", end.stderr);
}

#[test]
fn r10_a_missing_path_is_refused_with_the_way_out() {
    let world = signed_in();
    let run = world.helper("get", "");
    no_token(&run, "no path");
    assert!(run.stdout.contains("quit=1"), "{}", run.stdout);
    assert!(run.stderr.contains("oam setup git"), "{}", run.stderr);
}

#[test]
fn r10_prefix_and_dot_tricks_get_nothing_and_known_endings_belong_to_the_repository() {
    let world = signed_in();
    for trick in [
        "acme-evil/model",
        "acmex/model",
        "acme",
        "acme/",
        "/acme/../other/model",
        "acme/../other/model",
        "acme/model/../../other/x",
        "acme/..",
        "acme/.",
        "./acme/model",
        "acme//model",
        "acme%2fmodel",
        "acme/%2e%2e/other",
        "acme\\model",
        "acme/model\\..\\..\\other",
        "ACME/model",
        "other/acme/model",
        "datasets/acme-evil/x",
        "datasets/../acme/model",
        "acme/*",
        "*",
        "acme/model?x=/other/y",
        "acme/model#x",
        "acme/model\u{2028}",
    ] {
        no_token(&world.helper("get", &format!("path={trick}\n")), trick);
    }
    assert_eq!(world.idp.count("exchange"), 0, "nothing was even asked for");
    for same in [
        "acme/model.git",
        "acme/model.git/",
        "acme/model/",
        "acme/model.git/info/lfs",
        "acme/model.git/info/refs",
    ] {
        let run = world.helper("get", &format!("path={same}\n"));
        assert!(run.stdout.contains("password="), "{same}: {}", run.stderr);
    }
    let tokens = world.idp.ask("role-tokens");
    for token in tokens["tokens"].as_array().unwrap() {
        assert_eq!(token["repository"], json!("acme/model"), "{token}");
    }
}
