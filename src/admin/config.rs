//! `oam-issuer config check`.

use super::opening;
use crate::show::{Line, Printer, Style};
use clap::{Args, Subcommand};
use oam_config::fault::ConfigFault;
use oam_config::issuer::{SourceText, read_policy, read_settings};
use oam_config::remarks::remarks;
use oam_model::issuer::IssuerSettings;
use oam_model::policy::Policy;
use oam_model::principal::PrincipalKind;
use oam_model::refusal::Refusal;
use oam_policy::tie::{Tie, ties};
use serde::Serialize;
use std::path::Path;

/// `oam-issuer config`.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// What to do.
    #[command(subcommand)]
    pub what: ConfigWhat,
}

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigWhat {
    /// Read it and the policy that it names, and say what is wrong, with line and column.
    #[command(
        after_help = "Example:\n  oam-issuer --config draft.toml config check\n\nExits 1 when there is a fault."
    )]
    Check,
}

/// `oam-issuer config check --json` and `oam-issuer policy check --json`.
#[derive(Debug, Default, Serialize)]
pub(super) struct CheckReport {
    /// Whether no fault was found.
    pub(super) ok: bool,
    /// The files that were read.
    pub(super) files: Vec<String>,
    /// The organization; null when the policy could not be read.
    pub(super) organization: Option<String>,
    /// Identity sources, `person` or `job`.
    pub(super) sources: Vec<SourceRow>,
    /// Names of the hubs.
    pub(super) hubs: Vec<String>,
    /// The roles.
    pub(super) roles: Vec<RoleSummary>,
    /// Grants between which nobody can choose who holds both roles; no fault, but a refusal for somebody.
    pub(super) ties: Vec<Tie>,
    /// Every fault, in the order of files and lines.
    pub(super) faults: Vec<FaultRow>,
    /// What is no fault and most likely not meant, such as an address that was left as the example has it.
    pub(super) remarks: Vec<FaultRow>,
}

/// A source in [`CheckReport`].
#[derive(Debug, Serialize)]
pub(super) struct SourceRow {
    name: String,
    kind: PrincipalKind,
    issuer: String,
}

/// A role in [`CheckReport`].
#[derive(Debug, Serialize)]
pub(super) struct RoleSummary {
    name: String,
    /// Number of rules by which it is held; 0: nobody, it is there to be included.
    members: usize,
    /// Number of grants, the included ones among them.
    grants: usize,
    lifetime_s: u64,
}

/// A fault in [`CheckReport`].
#[derive(Debug, Serialize)]
pub(super) struct FaultRow {
    file: String,
    line: usize,
    column: usize,
    sentence: String,
    next: String,
}

impl CheckReport {
    pub(super) fn settings(&mut self, settings: &IssuerSettings) {
        let sources = settings.sources.iter().map(|source| SourceRow {
            name: source.name.to_string(),
            kind: source.kind,
            issuer: source.issuer.clone(),
        });
        self.sources = sources.collect();
        self.hubs = settings
            .hubs
            .iter()
            .map(|hub| hub.name.to_string())
            .collect();
    }

    pub(super) fn policy(&mut self, policy: &Policy) {
        self.organization = Some(policy.org.name.to_string());
        let roles = policy.roles.iter().map(|role| RoleSummary {
            name: role.name.to_string(),
            members: role.members.len(),
            grants: role.grants.len(),
            lifetime_s: role.lifetime_s,
        });
        self.roles = roles.collect();
        self.ties = ties(policy);
    }

    /// Prints it, with remarks on these texts, and gives the exit code.
    pub(super) fn show(
        mut self,
        show: &Printer,
        faults: &[ConfigFault],
        texts: &[SourceText<'_>],
    ) -> u8 {
        let remarks: Vec<_> = texts.iter().copied().flat_map(remarks).collect();
        self.faults.extend(faults.iter().map(row));
        self.remarks.extend(remarks.iter().map(row));
        self.ok = self.faults.is_empty();
        if show.json() {
            show.value(&self);
            return u8::from(!self.ok);
        }
        show.faults(faults);
        show.remarks(&remarks);
        for file in &self.files {
            show.line(format!("read {file}"));
        }
        for source in &self.sources {
            let kind = match source.kind {
                PrincipalKind::Person => "people",
                PrincipalKind::Job => "jobs",
            };
            show.line(format!(
                "source {}: {kind} of {}",
                source.name, source.issuer
            ));
        }
        for role in &self.roles {
            show.line(format!(
                "role {}: {}, {}, {} s",
                role.name,
                count(role.members, "member rule"),
                count(role.grants, "grant"),
                role.lifetime_s
            ));
        }
        for tie in &self.ties {
            show.say(Line::new().look(Style::Warn, tie.words()));
        }
        if !self.ties.is_empty() {
            show.next("give one of the roles a `priority`, the highest is taken, or make their grants differ");
        }
        if self.ok {
            show.line(Line::new().look(Style::Good, "no fault found"));
        }
        u8::from(!self.ok)
    }
}

fn row(fault: &ConfigFault) -> FaultRow {
    FaultRow {
        file: fault.file.clone(),
        line: fault.line,
        column: fault.column,
        sentence: fault.sentence.clone(),
        next: fault.next.clone(),
    }
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Runs it.
pub fn run(show: &Printer, args: &ConfigArgs) -> u8 {
    match args.what {
        ConfigWhat::Check => show.done(check(show)),
    }
}

fn check(show: &Printer) -> Result<u8, Refusal> {
    let mut report = CheckReport::default();
    let path = show.config();
    let text = opening::text(path)?;
    let name = path.display().to_string();
    report.files.push(name.clone());
    let own = SourceText {
        name: &name,
        text: &text,
    };
    let settings = match read_settings(own) {
        Ok(settings) => settings,
        // What hubs and sources the policy may name is not known.
        Err(faults) => return Ok(report.show(show, &faults, &[])),
    };
    report.settings(&settings);
    let text = opening::text(Path::new(&settings.policy))?;
    report.files.push(settings.policy.clone());
    let source = SourceText {
        name: &settings.policy,
        text: &text,
    };
    let faults = match read_policy(source, &settings) {
        Ok(policy) => {
            report.policy(&policy);
            Vec::new()
        }
        Err(faults) => faults,
    };
    Ok(report.show(show, &faults, &[own, source]))
}
