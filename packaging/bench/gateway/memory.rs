//! What a gateway's process took: its memory, which must not grow with what passes, and its time.

use super::{ROUNDS, row};
use std::error::Error;

/// So much more memory than for one megabyte a gateway may take for any size, kB.
const MORE: u64 = 2048;

/// The row about this process; whether it took hardly more memory than for one megabyte, in whose row that is noted.
pub fn judge(what: &str, megabytes: usize, small: &str) -> Result<bool, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|peak| peak.trim().strip_suffix(" kB"));
    let peak: u64 = peak.ok_or("no VmHWM in /proc/self/status")?.parse()?;
    let (budget, kept) = if let Ok(noted) = std::fs::read_to_string(small) {
        let most = noted.parse::<u64>()? + MORE;
        (format!("≤ {most} kB"), Some(peak <= most))
    } else {
        std::fs::write(small, peak.to_string())?;
        (String::new(), None)
    };
    let cells = [
        String::new(),
        format!("{peak} kB, {}", work(megabytes)?),
        budget,
    ];
    Ok(row(what, cells, kept)?)
}

/// Time of processors that this process took for each gigabyte, both ways together.
#[expect(clippy::cast_precision_loss, reason = "a figure for people to read")]
fn work(megabytes: usize) -> Result<String, Box<dyn Error>> {
    /// proc(5): hundredths of a second, as every Linux tells them.
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let behind = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let fields = behind.split_whitespace().skip(11).take(2);
    let ticks: u64 = fields.filter_map(|field| field.parse::<u64>().ok()).sum();
    let passed = (megabytes * ROUNDS * 2) as f64 / 1024.0;
    Ok(format!(
        "{:.2} s of processors a GB",
        ticks as f64 / TICKS / passed
    ))
}
