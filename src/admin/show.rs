//! The printer of `oam-issuer`: the one of all commands, which here also knows the configuration that a run is about.

use oam_config::fault::ConfigFault;
pub use oam_terminal::{Line, Output, Style};
use std::ops::Deref;
use std::path::{Path, PathBuf};

/// The printer of one run.
pub struct Printer {
    printer: oam_terminal::Show,
    config: PathBuf,
}

impl Deref for Printer {
    type Target = oam_terminal::Show;

    fn deref(&self) -> &Self::Target {
        &self.printer
    }
}

impl Printer {
    /// Looks at the terminal and at `NO_COLOR`.
    pub fn new(output: Output, config: PathBuf) -> Self {
        Self {
            printer: oam_terminal::Show::new(output),
            config,
        }
    }

    /// The issuer's configuration file of this run.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// Faults of a configuration on stderr, each with its place and the next step.
    pub fn faults(&self, faults: &[ConfigFault]) {
        self.places(faults, Style::Bad);
    }

    /// The same for what is no fault and most likely not meant.
    pub fn remarks(&self, remarks: &[ConfigFault]) {
        self.places(remarks, Style::Warn);
    }

    fn places(&self, faults: &[ConfigFault], look: Style) {
        for fault in faults {
            let place = if fault.line == 0 {
                format!("{}: ", fault.file)
            } else {
                format!("{}:{}:{}: ", fault.file, fault.line, fault.column)
            };
            self.say(Line::new().look(look, place).text(fault.sentence.clone()));
            self.next(&fault.next);
        }
    }
}
