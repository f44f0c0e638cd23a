//! The steps about the record: both logs are whole, and tell of the same requests.

use super::programs::Ran;
use super::reporter::Failure;
use super::scenario::Scenario;
use super::seed::ORG;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Longest wait until the agent has sent its records: it sends them in batches.
const SENT: Duration = Duration::from_secs(15);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(200);

impl Scenario<'_> {
    /// The agent's own records arrive at the organization, chained as they are.
    pub async fn organization_holds_records(&mut self) -> Result<(), Failure> {
        let began = Instant::now();
        loop {
            let ran = self.oam(&["log", "--verify"]).await?;
            let text = ran.stdout();
            let held = text
                .lines()
                .find(|line| line.contains(&format!("anchored at {ORG} up to record ")))
                .filter(|line| !line.contains(" up to record 0 "));
            if let Some(line) = held {
                self.reporter
                    .done("the organization holds the agent's records too:");
                self.reporter.note(line);
                return Ok(());
            }
            if began.elapsed() > SENT {
                return Err(ran.failure("the organization does not hold the agent's records"));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// `oam log --verify` and `oam-issuer audit verify`.
    pub async fn audits_are_whole(&mut self) -> Result<(), Failure> {
        let ran = self
            .oam(&["log", "--verify"])
            .await?
            .expect(0, "the person's audit log was not verified")?;
        self.reporter.done("audit log verified (oam log --verify)");
        self.show(&ran);
        let ran = self
            .company
            .command(&["audit", "verify"])
            .await?
            .expect(0, "the organization's audit was not verified")?;
        self.reporter
            .done("the organization's audit verified (oam-issuer audit verify)");
        self.show(&ran);
        Ok(())
    }

    /// Every token that the person's log tells of is in the organization's audit, under the same
    /// request id and the same SHA-256.
    pub async fn audits_join(&mut self) -> Result<(), Failure> {
        let ours = self
            .oam(&["log", "--json"])
            .await?
            .expect(0, "`oam log --json` failed")?;
        let theirs = self
            .company
            .command(&["audit", "export", "--format", "jsonl"])
            .await?
            .expect(0, "`oam-issuer audit export` failed")?;
        let issued: BTreeMap<String, String> = lines(&theirs)
            .filter(|entry| entry["event"] == "exchange")
            .filter_map(|entry| pair(&entry))
            .collect();
        let mut joined = BTreeMap::new();
        for record in lines(&ours) {
            let Some((request, token)) = pair(&record) else {
                continue;
            };
            match issued.get(&request) {
                Some(known) if *known == token => {
                    joined.insert(request, record["role"].clone());
                }
                _ => {
                    let text = format!("request {request} is not in the organization's audit");
                    return Err(ours.failure(text));
                }
            }
        }
        if joined.len() < 3 {
            let text = format!("only {} requests stand in both audits", joined.len());
            return Err(ours.failure(text));
        }
        self.reporter.done(&format!(
            "{} requests stand in both audits, joined by request id and token hash",
            joined.len()
        ));
        for (request, role) in joined.iter().take(2) {
            let role = role.as_str().unwrap_or_default();
            self.reporter.note(&format!("{request} {role}"));
        }
        Ok(())
    }

    fn show(&mut self, ran: &Ran) {
        for line in ran.stdout().lines() {
            self.reporter.note(line);
        }
    }
}

fn lines(ran: &Ran) -> impl Iterator<Item = Value> {
    let text = ran.stdout();
    let all: Vec<Value> = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    all.into_iter()
}

/// Request id and token of an entry that has both.
fn pair(entry: &Value) -> Option<(String, String)> {
    let text = |name: &str| entry[name].as_str().map(str::to_owned);
    Some((text("request_id")?, text("token_sha256")?))
}
