//! `oam-issuer policy test`: the policy's answers compared with a table of expected ones.

use super::path;
use crate::opening;
use crate::show::{Line, Printer, Style};
use oam_config::issuer::{SourceText, read_cases};
use oam_model::issuer::IssuerSettings;
use oam_model::refusal::Refusal;
use oam_model::system_error::reason;
use oam_policy::policy::Index;
use oam_policy::policy::cases::{CaseEvidence, CaseResult, SaidGroup, judge};
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
    junit: Option<&Path>,
) -> Result<u8, Refusal> {
    let policy = opening::policy(show, settings, path(settings, policy))?;
    let text = opening::text(file)?;
    let name = file.display().to_string();
    let source = SourceText {
        name: &name,
        text: &text,
    };
    let cases = read_cases(source, settings, &policy)
        .map_err(|faults| opening::told(show, file, &faults))?;
    let index = Index::new(policy);
    let cases = judge(&index, &settings.sources, &cases);
    let report = TestReport {
        ok: cases.iter().all(|case| case.ok),
        cases,
    };
    if let Some(path) = junit {
        std::fs::write(path, xml(&name, &report)).map_err(|error| {
            Refusal::unavailable(
                format!(
                    "{} could not be written: {}",
                    path.display(),
                    reason(error.kind())
                ),
                "name a file in a folder that can be written to",
            )
        })?;
    }
    if show.json() {
        show.value(&report);
    } else {
        tell(show, &name, &report);
    }
    Ok(u8::from(!report.ok))
}

/// The groups that count with the reason, and each other one with its own.
fn groups(evidence: &CaseEvidence) -> String {
    let counting = if evidence.groups.is_empty() {
        "none".to_owned()
    } else {
        evidence.groups.join(", ")
    };
    let others = evidence.said.iter().filter(|one| !one.counts);
    let others: Vec<String> = others
        .map(|one| {
            let SaidGroup { group, by, .. } = one;
            let why = if one.because == evidence.because {
                String::new()
            } else {
                format!(": {}", one.because)
            };
            format!("; {group} by the {by} does not count{why}")
        })
        .collect();
    format!(
        "groups: {counting}; {}{}",
        evidence.because,
        others.concat()
    )
}

/// The outcome as XML in the form of `JUnit`.
fn xml(name: &str, report: &TestReport) -> String {
    let failed = report.cases.iter().filter(|case| !case.ok).count();
    let cases = report.cases.iter().map(|case| {
        let title = attribute(&format!("{} as {}", case.asked, case.subject));
        let place = attribute(&format!("{name}:{}", case.line));
        let head = format!("  <testcase classname=\"{place}\" name=\"{title}\"");
        if case.ok {
            return format!("{head}/>\n");
        }
        let words = format!(
            "{} instead of {}: {}; {}",
            case.answer,
            case.expected,
            case.why,
            groups(&case.groups)
        );
        let words = attribute(&words);
        format!("{head}>\n    <failure message=\"{words}\"/>\n  </testcase>\n")
    });
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"policy\" tests=\"{}\" failures=\"{failed}\">\n{}</testsuite>\n",
        report.cases.len(),
        cases.collect::<String>()
    )
}

/// Text between the quotes of an attribute; what XML can't hold becomes a blank.
fn attribute(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
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
        if !case.ok
            || case.groups.said.iter().any(|one| one.by != "token")
            || case.groups.by != "token"
        {
            show.line(format!("     {}", groups(&case.groups)));
        }
    }
    let failed = report.cases.iter().filter(|case| !case.ok).count();
    show.line(format!(
        "{} of {} answers are as expected",
        report.cases.len() - failed,
        report.cases.len()
    ));
}

#[cfg(test)]
mod tests {
    use super::{TestReport, xml};
    use oam_policy::policy::cases::{CaseEvidence, CaseResult, SaidGroup};

    #[test]
    fn a_ci_system_reads_each_case_and_why_it_failed() {
        let case = |ok: bool| CaseResult {
            line: 3,
            subject: "okta:<ada>".into(),
            asked: "write acme/model on models".into(),
            ok,
            expected: "denied".into(),
            answer: "publisher".into(),
            why: "rule \"a\" & more".into(),
            groups: CaseEvidence {
                groups: vec!["ml".into()],
                by: "directory",
                because: "the directory says so",
                said: ["directory", "token"]
                    .map(|by| SaidGroup {
                        group: if by == "token" { "old" } else { "ml" }.into(),
                        by,
                        counts: by == "directory",
                        because: "the directory says so",
                    })
                    .to_vec(),
            },
        };
        let report = TestReport {
            ok: false,
            cases: vec![case(true), case(false)],
        };
        let text = xml("expected.toml", &report);
        assert!(text.contains("tests=\"2\" failures=\"1\""), "{text}");
        assert!(
            text.contains("name=\"write acme/model on models as okta:&lt;ada>\"/>"),
            "{text}"
        );
        assert!(
            text.contains("message=\"publisher instead of denied: rule &quot;a&quot; &amp; more; groups: ml; the directory says so; old by the token does not count\""),
            "{text}"
        );
    }
}
