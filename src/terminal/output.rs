//! The options of output that every command of both programs takes, before and behind its name.

use clap::{Args, ValueEnum};
use std::ffi::OsString;
use terminal_size::{Height, Width};

/// How output looks.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Output {
    /// Print JSON; a refusal is JSON too.
    #[arg(long, global = true)]
    pub json: bool,
    /// Colour the output; `auto`: on a terminal, unless `NO_COLOR` is set.
    #[arg(
        long = "color",
        global = true,
        value_enum,
        value_name = "WHEN",
        default_value_t,
        hide_possible_values = true,
        help = "Colour the output: auto (on a terminal, unless $NO_COLOR is set), always, never"
    )]
    pub colour: Colour,
}

/// When output has colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Colour {
    /// On a terminal, unless `NO_COLOR` is set or the terminal is `dumb`.
    #[default]
    Auto,
    /// Also into a file or pipe.
    Always,
    /// Never.
    Never,
}

impl Colour {
    pub(crate) fn is_wanted(self, terminal: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                terminal
                    && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
                    && std::env::var_os("TERM").is_none_or(|v| v != "dumb")
            }
        }
    }

    /// What a command line says, before it is read as a whole: help and faults have colours, too.
    pub(crate) fn of_line(line: &[OsString]) -> clap::ColorChoice {
        let own = line.iter().take_while(|word| *word != "--");
        let own: Vec<&str> = own.filter_map(|word| word.to_str()).collect();
        let after = |pair: &[&str]| (pair[0] == "--color").then(|| pair[1].to_owned());
        let joined = own.iter().find_map(|word| word.strip_prefix("--color="));
        let told = joined
            .map(str::to_owned)
            .or_else(|| own.windows(2).find_map(after));
        match told.as_deref() {
            Some("always") => clap::ColorChoice::Always,
            Some("never") => clap::ColorChoice::Never,
            _ => clap::ColorChoice::Auto,
        }
    }
}

/// The width to wrap to: what `COLUMNS` says, else the terminal's. None: as wide as it comes.
pub(crate) fn columns(terminal: Option<(Width, Height)>) -> Option<usize> {
    let told = std::env::var("COLUMNS").ok();
    let told = told.and_then(|text| text.trim().parse().ok());
    told.or_else(|| terminal.map(|(Width(width), _)| usize::from(width)))
        .filter(|columns| *columns >= 20)
}

#[cfg(test)]
mod tests {
    use super::Colour;
    use clap::ColorChoice;

    #[test]
    fn colour_of_help_is_told_before_the_line_is_read() {
        let of = |text: &str| {
            let words: Vec<_> = text.split(' ').map(Into::into).collect();
            Colour::of_line(&words)
        };
        assert_eq!(of("oam --color never help"), ColorChoice::Never);
        assert_eq!(of("oam log --color=always"), ColorChoice::Always);
        assert_eq!(of("oam exec -- ls --color=always"), ColorChoice::Auto);
        assert!(Colour::Always.is_wanted(false) && !Colour::Never.is_wanted(true));
    }
}
