//! The agent: one per user.

use std::alloc::System;
use std::process::ExitCode;

/// Memory is wiped when it is given back: tokens stand for a moment in buffers that are not ours to wipe, of the
/// HTTP and TLS layers, and would be found there long after a sign-out (R17).
#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<System> = zeroizing_alloc::ZeroAlloc(System);

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    ExitCode::from(oam_host::assemble::run(&args))
}
