//! `oam-issuer doctor`: what is wrong with the installation, each finding with what helps. It asks the outside too:
//! what `config check` can't see is found here, and not by the people who push.

pub mod certificate;
mod directory;
mod endpoints;
mod github;
mod local;
mod remote;
#[cfg(test)]
mod tests;

use super::opening;
use crate::show::{Line, Printer, Style};
use clap::Args;
use oam_issuer::files::{self, IssuerFiles};
use oam_issuer::outbound::OutboundClient;
use oam_model::refusal::Refusal;
use oam_system::clock;
use serde::Serialize;

/// `oam-issuer doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// As it must be.
    Ok,
    /// It works, and somebody has to look.
    Warning,
    /// It does not work, for somebody.
    Fault,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at: `database`, `source okta`, …
    pub part: String,
    /// How it is.
    pub state: State,
    /// What was found.
    pub sentence: String,
    /// What helps; null where nothing is wrong.
    pub next: Option<String>,
}

impl Finding {
    pub(super) fn ok(part: impl Into<String>, sentence: impl Into<String>) -> Self {
        Self {
            part: part.into(),
            state: State::Ok,
            sentence: sentence.into(),
            next: None,
        }
    }

    pub(super) fn bad(
        part: impl Into<String>,
        state: State,
        sentence: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self {
            part: part.into(),
            state,
            sentence: sentence.into(),
            next: Some(next.into()),
        }
    }

    pub(super) fn of(part: impl Into<String>, refusal: &Refusal) -> Self {
        Self::bad(
            part,
            State::Fault,
            refusal.sentence.clone(),
            refusal.next.clone(),
        )
    }
}

/// `oam-issuer doctor --json`.
#[derive(Debug, Default, Serialize)]
struct DoctorReport {
    /// Whether there is no fault; warnings are none.
    ok: bool,
    /// Everything that was looked at.
    findings: Vec<Finding>,
}

/// Runs it. Exits 1 when there is a fault.
pub fn run(show: &Printer, _args: &DoctorArgs) -> u8 {
    show.done(look(show))
}

fn look(show: &Printer) -> Result<u8, Refusal> {
    let mut findings = Vec::new();
    match files::read(show.config()) {
        Ok(files) => {
            findings.push(Finding::ok(
                "configuration",
                "configuration and policy have no fault",
            ));
            let _waiting = show.waiting("the identity sources and hubs, which are asked");
            opening::wait(all(&files, &mut findings))?;
        }
        Err(faults) => findings.extend(faults.iter().map(|fault| {
            let place = match fault.line {
                0 => fault.file.clone(),
                line => format!("{}:{line}:{}", fault.file, fault.column),
            };
            let sentence = format!("{place}: {}", fault.sentence);
            Finding::bad("configuration", State::Fault, sentence, fault.next.clone())
        })),
    }
    let report = DoctorReport {
        ok: findings.iter().all(|one| one.state != State::Fault),
        findings,
    };
    if show.json() {
        show.value(&report);
    } else {
        tell(show, &report);
    }
    Ok(u8::from(!report.ok))
}

async fn all(files: &IssuerFiles, findings: &mut Vec<Finding>) {
    local::look(files, findings).await;
    if let Some(tls) = &files.settings.tls {
        findings.push(certificate::look(tls, clock::now_s()));
    }
    let org = &files.policy.org.name;
    github::look(&files.settings, org, clock::now_ms(), findings).await;
    match OutboundClient::new(&files.settings) {
        Ok(outside) => remote::look(&files.settings, &outside, findings).await,
        Err(refusal) => findings.push(Finding::of("outside", &refusal)),
    }
}

fn tell(show: &Printer, report: &DoctorReport) {
    for one in &report.findings {
        let (look, sign) = match one.state {
            State::Ok => (Style::Good, "ok      "),
            State::Warning => (Style::Warn, "warning "),
            State::Fault => (Style::Bad, "fault   "),
        };
        let line = Line::new().look(look, sign);
        show.line(line.text(format!("{}: {}", one.part, one.sentence)));
        if let Some(next) = &one.next {
            show.line(Line::new().look(Style::Faint, format!("        next: {next}")));
        }
    }
}
