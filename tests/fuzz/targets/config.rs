//! The configuration: any two texts are settings or faults that can be told, never a crash.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oam::config::agent::{Source, read};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    // A NUL parts the company's file from the user's.
    let (company, user) = match text.split_once('\0') {
        Some((company, user)) => (Some(company), user),
        None => (None, text),
    };
    let company = company.map(|text| Source {
        name: "company",
        text,
    });
    if let Err(faults) = read(
        company,
        Some(Source {
            name: "user",
            text: user,
        }),
    ) {
        assert!(!faults.is_empty());
        for fault in faults {
            assert!(!fault.to_string().is_empty());
        }
    }
});
