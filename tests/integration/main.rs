//! The shipped programs against real parts: `oidc-provider`, git, git-lfs, `hf`, gnome-keyring,
//! dunst. Every test has its own home, runtime directory, D-Bus and ports.

mod support;

mod crash;
mod keyring;
mod sign_in;
mod start;
