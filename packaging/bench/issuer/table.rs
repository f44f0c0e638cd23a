//! The table that `packaging/bench/README.md` shows.

use std::process::ExitCode;
use std::time::Duration;

/// Rows, and whether a budget was missed.
#[derive(Default)]
pub struct Table {
    rows: Vec<String>,
    missed: bool,
}

impl Table {
    /// A row without a budget.
    pub fn row(&mut self, what: &str, measured: &str, beside: &str) {
        self.rows
            .push(format!("| {what} | {measured} | {beside} | | |"));
    }

    /// A row with a budget: kept or missed.
    pub fn judged(&mut self, what: &str, measured: &str, beside: &str, budget: &str, kept: bool) {
        let word = if kept { "pass" } else { "MISSED" };
        self.missed |= !kept;
        self.rows.push(format!(
            "| {what} | {measured} | {beside} | {budget} | {word} |"
        ));
    }

    /// Prints all rows; the exit code says whether every budget was kept.
    pub fn print(self) -> ExitCode {
        println!("| what | measured | beside, in the same run | budget | |");
        println!("|---|---:|---|---:|---|");
        for row in &self.rows {
            println!("{row}");
        }
        ExitCode::from(u8::from(self.missed))
    }
}

/// The value below which `share` of all lie; `values` need not be sorted.
pub fn quantile(values: &mut [Duration], share: f64) -> Duration {
    values.sort_unstable();
    let last = values.len().saturating_sub(1);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a place in a list"
    )]
    let at = (last as f64 * share).round() as usize;
    values.get(at).copied().unwrap_or_default()
}

/// Milliseconds with two digits.
pub fn ms(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}
