//! `oam-issuer policy test`: the policy's answers compared with a table of expected ones.

use super::path;
use crate::opening;
use crate::show::{Line, Printer, Style};
use oam_config::issuer::{SourceText, read_cases};
use oam_model::issuer::IssuerSettings;
use oam_model::refusal::Refusal;
use oam_policy::policy::Index;
use oam_policy::policy::cases::{CaseResult, judge};
use serde::Serialize;
use std::path::Path;

/// `oam-issuer policy test --json`.
#[derive(Serialize)]
struct TestReport {
    /// Whether every answer is the expected one.
    ok: bool,
    /// The cases in the order of the table.
    cases: Vec<CaseResult>,
}

/// Runs it. Exits 1 when an answer is not the expected one.
pub(super) fn run(
    show: &Printer,
    settings: &IssuerSettings,
    file: &Path,
    policy: Option<&Path>,
) -> Result<u8, Refusal> {
    let index = Index::new(opening::policy(show, settings, path(settings, policy))?);
    let text = opening::text(file)?;
    let name = file.display().to_string();
    let source = SourceText {
        name: &name,
        text: &text,
    };
    let cases =
        read_cases(source, settings).map_err(|faults| opening::told(show, file, &faults))?;
    let cases = judge(&index, &settings.sources, &cases);
    let report = TestReport {
        ok: cases.iter().all(|case| case.ok),
        cases,
    };
    if show.json() {
        show.value(&report);
    } else {
        tell(show, &name, &report);
    }
    Ok(u8::from(!report.ok))
}

fn tell(show: &Printer, name: &str, report: &TestReport) {
    for case in &report.cases {
        let (look, word) = if case.ok {
            (Style::Good, "ok  ")
        } else {
            (Style::Bad, "FAIL")
        };
        show.line(Line::new().look(look, word).text(format!(
            " {name}:{}: {} as {}: {}",
            case.line, case.asked, case.subject, case.answer
        )));
        if !case.ok {
            show.line(format!("     expected {}; {}", case.expected, case.why));
        }
    }
    let failed = report.cases.iter().filter(|case| !case.ok).count();
    show.line(format!(
        "{} of {} answers are as expected",
        report.cases.len() - failed,
        report.cases.len()
    ));
}
