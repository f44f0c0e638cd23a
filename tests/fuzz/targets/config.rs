//! The configuration: any two texts are settings or faults that can be told, never a crash.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oam_config::agent::{SourceText, read};
use oam_config::fault::ConfigFault;
use oam_config::issuer::{read_cases, read_policy, read_settings};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    issuer(text);
    // A NUL parts the company's file from the user's.
    let (company, user) = match text.split_once('\0') {
        Some((company, user)) => (Some(company), user),
        None => (None, text),
    };
    let company = company.map(|text| SourceText {
        name: "company",
        text,
    });
    if let Err(faults) = read(
        company,
        Some(SourceText {
            name: "user",
            text: user,
        }),
    ) {
        told(&faults);
    }
});

/// The issuer's files: a policy is read beside the example's settings and cases beside both, so that their names can
/// be right.
fn issuer(text: &str) {
    const EXAMPLE: &str = include_str!("../../../packaging/issuer.example.toml");
    const POLICY: &str = include_str!("../../../packaging/policy.example.toml");
    let source = |text| SourceText {
        name: "issuer",
        text,
    };
    if let Err(faults) = read_settings(source(text)) {
        told(&faults);
    }
    let Ok(settings) = read_settings(source(EXAMPLE)) else {
        return;
    };
    if let Err(faults) = read_policy(source(text), &settings) {
        told(&faults);
    }
    let Ok(policy) = read_policy(source(POLICY), &settings) else {
        return;
    };
    if let Err(faults) = read_cases(source(text), &settings, &policy) {
        told(&faults);
    }
}

fn told(faults: &[ConfigFault]) {
    assert!(!faults.is_empty());
    for fault in faults {
        assert!(!fault.to_string().is_empty());
    }
}
