//! `oam-issuer`: the organization's token server and its commands.

use std::process::ExitCode;

// Measured where servers run; elsewhere the system's will do.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    ExitCode::from(oam_admin::run(std::env::args_os()))
}
