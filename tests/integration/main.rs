//! The shipped programs against real parts: `oidc-provider`, git, git-lfs, `hf`, gnome-keyring,
//! dunst. Every test has its own home, runtime directory, D-Bus and ports.

#![allow(
    clippy::duration_suboptimal_units,
    clippy::expect_used,
    clippy::format_collect,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::naive_bytecount,
    clippy::panic,
    clippy::print_stdout,
    clippy::return_self_not_must_use,
    clippy::too_many_lines,
    clippy::unwrap_used,
    reason = "a test says no by panicking, and its support is not a library"
)]

mod support;

mod cases;
mod choosing;
mod crash;
mod device;
mod disk;
mod end;
mod exec;
mod gateway;
mod gateway_cut;
mod gateway_git;
mod gateway_killed;
mod gateway_python;
mod gateway_secrets;
mod gateway_transfers;
mod git;
mod git_hosts;
mod hardening;
mod hf;
mod hub_refuses;
mod inputs;
mod issuer_audit;
mod issuer_bad_signals;
mod issuer_bearers;
mod issuer_directory;
mod issuer_feed;
mod issuer_hubs;
mod issuer_jobs;
mod issuer_ldap_lies;
mod issuer_leaver;
mod issuer_outage;
mod issuer_people;
mod issuer_poll;
mod issuer_poll_commands;
mod issuer_signals;
mod issuer_tokens;
mod keyring;
mod lfs;
mod memory;
mod notices;
mod parallel;
mod provider;
mod proxy;
mod reading;
mod screen;
mod settings;
mod setup_company;
mod setup_git;
mod sign_in;
mod sign_in_again;
mod socket;
mod ssh;
mod start;
mod update;
