//! An issuer whose clock is behind the provider's: what never passes by itself is not to be tried again in a moment,
//! the clocks are named, and roles that are not known are not called none.

use crate::support::company::Company;
use crate::support::company_files::Plan;
use crate::support::http::Ask;
use crate::support::wait::until_true;
use std::process::Command;

/// Starts the issuer as a machine has it whose clock is `seconds` behind.
fn serve_behind(company: &Company, seconds: u32) -> std::process::Child {
    let preload = Command::new("faketime")
        .args(["-f", "+1d", "printenv", "LD_PRELOAD"])
        .output()
        .unwrap();
    let mut issuer = company.issuer_command(&["serve"]);
    let child = issuer
        .env(
            "LD_PRELOAD",
            String::from_utf8_lossy(&preload.stdout).trim(),
        )
        .env("FAKETIME", format!("-{seconds}s"))
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .spawn()
        .unwrap();
    until_true("the issuer to answer", || {
        let health = Ask::get(&format!("{}/healthz", company.inner)).try_send();
        health.is_ok_and(|answer| answer.status == 200)
    });
    child
}

#[test]
fn clocks_that_differ_are_named() {
    let company = Plan::default().prepare();
    let mut issuer = serve_behind(&company, 90);
    let run = company.login_command("ada").output().unwrap();
    let login = String::from_utf8_lossy(&run.stderr).into_owned();
    let status = company.world.oam(&["status"]).stdout;
    issuer.kill().unwrap();
    issuer.wait().unwrap();
    assert!(!run.status.success(), "{login}");
    assert!(login.contains("clock"), "{login}");
    assert!(!login.contains("try again in a moment"), "{login}");
    assert!(!status.contains("no group of yours"), "{status}");
}
