//! `oam-issuer read-ldap`: the process in which the issuer has an LDAP server read. Nobody types it: its order comes by
//! stdin, its answer goes to stdout, and it ends when whoever started it is gone.

use crate::opening;
use crate::show::Printer;
use oam_issuer::directory::ldap::process::LdapTask;
use oam_model::refusal::Refusal;
use oam_model::system_error::reason;
use oam_system::process::{abort_at_panics, harden, limit_memory, plain_input};
use std::fs::File;
use std::io::{self, Read};

/// Runs it.
pub fn run(show: &Printer) -> u8 {
    abort_at_panics();
    show.done(read())
}

fn read() -> Result<u8, Refusal> {
    harden("the reader of LDAP")?;
    let begun = || -> io::Result<LdapTask> {
        let mut input = plain_input()?;
        let task = LdapTask::from(&mut input)?;
        limit_memory(task.memory_cap())?;
        std::thread::Builder::new().spawn(move || end_with(input))?;
        Ok(task)
    };
    let task = begun().map_err(|error| {
        let sentence = format!("there is no order on stdin: {}", reason(error.kind()));
        Refusal::bad_request(
            sentence,
            "run `oam-issuer directory poll SOURCE`, which starts it",
        )
    })?;
    let told = opening::wait(task.run(io::stdout().lock()))?;
    // Nobody is left to be told.
    Ok(u8::from(told.is_err()))
}

/// Whoever started it says no more, and is gone at the end of the input.
fn end_with(mut input: File) {
    let _ = input.read(&mut [0]);
    std::process::exit(1);
}
