//! The shipped programs against real parts: `oidc-provider`, git, git-lfs, `hf`, gnome-keyring,
//! dunst. Every test has its own home, runtime directory, D-Bus and ports.

mod support;

mod exec;
mod git;
mod hf;
mod hub_refuses;
mod lfs;
mod sign_in;
