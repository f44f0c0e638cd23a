//! What the command lines of `oam` and `oam-issuer` have in common: parsing, completions, manual pages, the one printer.

pub mod command_line;
mod layout;
pub mod moment;
mod output;
mod show;
mod talk;

pub use oam_model::line::{Line, Style, escaped};
pub use output::{Colour, Output};
pub use show::Show;
pub use talk::{Talk, Waiting};
