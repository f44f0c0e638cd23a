//! What the command lines of `oam` and `oam-issuer` have in common: parsing, completions, manual pages, the one printer.

pub mod command_line;
mod show;

pub use oam_model::line::{Line, Style, escaped};
pub use show::Show;
