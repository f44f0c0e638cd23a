//! The arguments of `oam setup`. What each one changes is said in its help.

use clap::{Args, Subcommand};

/// `oam setup`.
#[derive(Debug, Args)]
pub struct SetupArgs {
    /// Take it back: restores what was there.
    #[arg(long, global = true)]
    pub undo: bool,
    /// What to connect.
    #[command(subcommand)]
    pub what: SetupWhat,
}

/// What `oam setup` connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum SetupWhat {
    /// git asks OAM for the hubs' tokens.
    #[command(
        after_help = "Changes your global git configuration: for each hub `credential.URL.helper` (an empty entry first, which \
            turns other helpers off for this address, then OAM's by its absolute path) and `credential.URL.useHttpPath = true`, \
            so that each repository gets a token of its own. Nothing else of it is touched. What was there is kept for --undo, \
            in setup-git.json below the state folder (`oam help files`).\n\nExample:\n  oam setup git"
    )]
    Git,
    /// Plain `hf` goes through `oam exec`.
    #[command(
        after_help = "Writes one file, a small wrapper named `hf`, into a folder of OAM's own below your data folder. It runs the real `hf` \
            through `oam exec`; the real one is not touched. The folder has to come before it in PATH, which `oam setup shell` \
            does.\n\nExample:\n  oam setup hf"
    )]
    Hf,
    /// The agent is started by the service manager.
    #[command(
        after_help = "With systemd: writes oam-agent.service and oam-agent.socket into your user units, and enables the socket; where a \
            package brought the units, it only enables them. On macOS: writes and loads a launchd agent. Without it the \
            first command that needs the agent starts it.\n\nExample:\n  oam setup service"
    )]
    Service,
    /// The folder of our `hf` comes first in the shell's PATH.
    #[command(
        after_help = "Adds a marked block of two lines to the end of .bashrc, .zshrc and .profile, those that are there and the one of your \
            shell. Nothing else of them is touched. fish is told in a line to run.\n\nExample:\n  oam setup shell"
    )]
    Shell,
}
