//! `oam config check` and `oam config path`.

use super::Done;
use super::places;
use oam_config::agent::{self, Org, Settings, SourceText};
use oam_config::fault::ConfigFault;
use oam_config::organization::issuer_of;
use oam_config::remarks::remarks;
use oam_model::count::counted;
use oam_model::refusal::Refusal;
use oam_model::system_error::reason;
use oam_terminal::{Line, Show, Style};
use serde::Serialize;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// `oam config path --json`.
#[derive(Serialize)]
struct PathReport {
    company: PathRow,
    user: PathRow,
}

#[derive(Serialize)]
struct PathRow {
    path: PathBuf,
    exists: bool,
}

/// `oam config check --json`.
#[derive(Serialize)]
struct CheckReport {
    ok: bool,
    files: Vec<PathBuf>,
    organizations: Vec<String>,
    faults: Vec<FaultRow>,
    /// What is no fault and most likely not meant.
    remarks: Vec<FaultRow>,
}

#[derive(Serialize)]
struct FaultRow {
    file: String,
    line: usize,
    column: usize,
    sentence: String,
    next: String,
}

/// Configuration as it lies on disk.
pub struct Read {
    /// The files that are there.
    pub files: Vec<PathBuf>,
    /// What they say.
    pub settings: Result<Settings, Vec<ConfigFault>>,
    /// What is no fault and most likely not meant.
    pub remarks: Vec<ConfigFault>,
}

/// Reads the company's file and the user's, or `user` in the latter's place.
///
/// # Errors
/// A file that is there and can't be read, or `user` when it is not there.
pub fn read(user: Option<&Path>) -> Result<Read, Refusal> {
    let company_path = places::company_config();
    let user_path = user.map(Path::to_owned).or_else(places::user_config);
    let company_text = text(&company_path)?;
    let user_text = match &user_path {
        Some(path) => text(path)?,
        None => None,
    };
    if let (Some(path), None) = (user, &user_text) {
        return Err(Refusal::bad_request(
            format!("{} is not there", path.display()),
            "name a file that exists",
        ));
    }
    let company_name = company_path.display().to_string();
    let user_name = user_path.as_deref().map(|path| path.display().to_string());
    let source = |name, text| Some(SourceText { name, text });
    let company = company_text
        .as_deref()
        .and_then(|text| source(&company_name, text));
    let own = user_text
        .as_deref()
        .zip(user_name.as_deref())
        .and_then(|(text, name)| source(name, text));
    let settings = agent::read(company, own);
    let remarks = [company, own].into_iter().flatten().flat_map(remarks);
    let remarks = remarks.collect();
    let there = [company_text.map(|_| company_path), user_text.and(user_path)];
    Ok(Read {
        files: there.into_iter().flatten().collect(),
        settings,
        remarks,
    })
}

fn text(path: &Path) -> Result<Option<String>, Refusal> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Refusal::unavailable(
            format!(
                "{} could not be read: {}",
                path.display(),
                reason(error.kind())
            ),
            "make it a readable text file in UTF-8",
        )),
    }
}

/// Checks and tells every fault. Exits 1 when there is one.
pub fn check(show: &Show, file: Option<&Path>) -> Done {
    let read = read(file)?;
    let (settings, faults) = match read.settings {
        Ok(settings) => (settings, Vec::new()),
        Err(faults) => (Settings::default(), faults),
    };
    if show.json() {
        show.value(&CheckReport {
            ok: faults.is_empty(),
            files: read.files,
            organizations: settings
                .orgs
                .iter()
                .map(|org| org.name.to_string())
                .collect(),
            faults: faults.iter().map(row).collect(),
            remarks: read.remarks.iter().map(row).collect(),
        });
        return Ok(u8::from(!faults.is_empty()));
    }
    for fault in &faults {
        tell(show, fault, Style::Bad);
    }
    if !faults.is_empty() {
        return Ok(1);
    }
    if read.files.is_empty() {
        show.line("there is no configuration");
        show.next("write the user's file; `oam config path` tells where it lies");
        return Ok(1);
    }
    for file in &read.files {
        show.line(format!("read {}", file.display()));
    }
    for org in &settings.orgs {
        show.line(format!(
            "{}: {}, {}, sign-in at {}",
            org.name,
            counted(org.hubs.len(), "hub", "hubs"),
            roles(org),
            org.provider.issuer
        ));
    }
    for remark in &read.remarks {
        tell(show, remark, Style::Warn);
    }
    show.line(Line::new().look(Style::Good, "no fault found"));
    Ok(0)
}

fn tell(show: &Show, fault: &ConfigFault, look: Style) {
    show.line(place(fault, look).text(fault.sentence.clone()));
    show.line(
        Line::new()
            .look(Style::Strong, "  next: ")
            .text(fault.next.clone()),
    );
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

fn place(fault: &ConfigFault, look: Style) -> Line {
    let place = if fault.line == 0 {
        format!("{}: ", fault.file)
    } else {
        format!("{}:{}:{}: ", fault.file, fault.line, fault.column)
    };
    Line::new().look(look, place)
}

/// Tells both places.
pub fn path(show: &Show) -> u8 {
    let row = |path: PathBuf| PathRow {
        exists: path.exists(),
        path,
    };
    let report = PathReport {
        company: row(places::company_config()),
        user: row(places::user_config().unwrap_or_default()),
    };
    if show.json() {
        show.value(&report);
        return 0;
    }
    let line = |name: &str, row: &PathRow| {
        let note = if row.exists { "" } else { "not there" };
        vec![
            Line::new().look(Style::Faint, name),
            row.path.display().to_string().into(),
            Line::new().look(Style::Faint, note),
        ]
    };
    let rows = [line("company", &report.company), line("user", &report.user)];
    show.table(&[], &rows);
    0
}
/// An issuer says its roles itself: `0 roles` would be read as none.
fn roles(org: &Org) -> String {
    if issuer_of(org).is_some() {
        return "roles as the issuer says".to_owned();
    }
    counted(org.roles.len(), "role", "roles")
}
