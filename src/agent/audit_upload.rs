//! Where the audit log is anchored: durable on disk, its head in the sealed state, and its lines at the
//! organizations that have an issuer.
//!
//! There is one log and one chain, whatever organizations a person works for. To each organization go
//! its own lines, whole; of another organization's line only its place in the chain goes, as
//! `{"seq":…,"prev":…,"hash":…}`: the chain can be followed over it, and nothing of it can be read.
//! Rejected: a chain for each organization, because what was done between two of its lines could then
//! be left out unseen, and one log is what a person reads; and leaving foreign lines out, because a gap
//! is what the organization has to raise an alarm for. A person who wants to hide a line from its own
//! organization would have to send it as foreign; the hash is held then, and the line must be shown
//! for it when somebody asks.

mod sent;

use super::answers::PortAnswer;
use super::core::AgentCore;
use super::issuer_client::Uploads;
use super::org_session::{OrgSession, OrgSessions};
use super::state::AuditAnchor;
use oam_audit::record::GENESIS;
use oam_model::answer::EndpointFault;
use oam_model::feed::{Upload, UploadAnswer};
use oam_model::name::OrgName;
use oam_model::organization::VERSION;
use oam_model::report::HeldAt;
use oam_model::time::Moment;
use oam_session::standing::{ISSUER, words};
use sent::{for_eyes_of, name_at};
use std::time::Duration;

/// A batch goes this long after the first of its records is durable, ms.
const BATCH_AFTER_MS: u64 = 3_000;
/// Lines and bytes of a batch at most.
const BATCH_LINES: usize = 256;
/// (as texts in JSON they are twice as long at most, and the issuer takes 1 MiB).
const BATCH_BYTES: usize = 500 * 1024;
/// First and longest wait after a batch that was not taken, ms.
const FIRST_WAIT_MS: u64 = 5_000;
const LONGEST_WAIT_MS: u64 = 300_000;
/// The last batch at the end of the agent may take this long.
const PARTING: Duration = Duration::from_secs(1);

impl AgentCore {
    pub(super) fn sync_log(&mut self) {
        self.durable.sync_at = None;
        if self.durable.trouble.is_some() {
            // An end that could not be written, or a renewed token.
            let _ = self
                .durable
                .vault
                .persist_tombstone(&self.durable.tombstones);
            self.save_quietly();
        }
        if self.durable.sync(self.now()) {
            self.save_quietly();
            let names: Vec<OrgName> = self.org_sessions.keys().cloned().collect();
            for name in names {
                self.records_are_due(&name);
            }
        }
    }

    /// There may be records that the organization does not hold yet.
    pub(super) fn records_are_due(&mut self, name: &OrgName) {
        let (now, written) = (self.now(), self.durable.audit_chain.sequence());
        if let Some(org_session) = self.org_sessions.get_mut(name) {
            org_session.records_are_due(written, now);
        }
    }

    /// Sends the batches that are due.
    pub(super) fn send_records(&mut self, now: Moment) {
        let due = |at: Option<Moment>| at.is_some_and(|at| now.reached(at));
        let names: Vec<OrgName> = self
            .org_sessions
            .iter()
            .filter(|(_, org_session)| due(org_session.issuer_client.uploads.due))
            .map(|(name, _)| name.clone())
            .collect();
        for name in names {
            self.send_batch(&name);
        }
    }

    fn send_batch(&mut self, name: &OrgName) {
        if let Some(org_session) = self.org_sessions.get_mut(name) {
            org_session.issuer_client.uploads.due = None;
        }
        let Some((sending, generation)) = self.batch(name) else {
            return;
        };
        let org = name.clone();
        self.aside.run(async move {
            PortAnswer::Uploaded {
                org,
                generation,
                result: sending.await,
            }
        });
    }

    /// The next batch, on its way; none when there is none or it can't go now.
    fn batch(
        &mut self,
        name: &OrgName,
    ) -> Option<(
        super::ports::LocalBoxFuture<Result<UploadAnswer, EndpointFault>>,
        u64,
    )> {
        // The organization must not hold what a crash could take from the disk.
        if self.durable.audit_chain.dirty {
            self.sync_log();
        }
        let end = self
            .durable
            .audit_chain
            .durable_head()
            .filter(|_| !self.durable.audit_chain.dirty)?;
        let now = self.now();
        let org_session = self.org_sessions.get(name)?;
        let (org, bearer) = org_session.usable_bearer(now)?;
        let records = &org_session.issuer_client.uploads;
        let held = records.held_seq();
        if records.under_way.is_some() || (held >= end.seq && !records.unsure) {
            return None;
        }
        let upload = match self.upload(name, held, end) {
            Ok(upload) => upload,
            Err(why) => {
                self.not_taken(name, why);
                return None;
            }
        };
        let generation = self.org_sessions.get(name)?.issuer_client.generation;
        let count = upload.lines.len();
        let sending = self.ports.issuer.upload(&org, bearer, upload);
        self.org_sessions
            .get_mut(name)?
            .issuer_client
            .uploads
            .under_way = Some(count);
        Some((sending, generation))
    }

    fn upload(&mut self, name: &OrgName, held: u64, end: AuditAnchor) -> Result<Upload, String> {
        let alone = self.settings.orgs.len() == 1 && self.durable.orphaned.is_empty();
        let journal = &self.ports.journal;
        let lines = if held < end.seq {
            journal.lines(held + 1, BATCH_LINES, BATCH_BYTES)?
        } else {
            Vec::new()
        };
        let subject = self.subject_of(name).unwrap_or_default();
        Ok(Upload {
            v: VERSION,
            log: name_at(self.durable.audit_chain.first()?, name, &subject),
            head_seq: end.seq,
            head_hash: end.hash,
            after_seq: held,
            known_head: self
                .org_sessions
                .get(name)
                .and_then(|org_session| org_session.issuer_client.head.clone()),
            lines: lines
                .into_iter()
                .map(|line| for_eyes_of(name, line, alone))
                .collect(),
        })
    }

    pub(super) fn uploaded(
        &mut self,
        name: &OrgName,
        generation: u64,
        result: Result<UploadAnswer, EndpointFault>,
    ) {
        let now = self.now();
        let written = self.durable.audit_chain.sequence();
        let Some(org_session) = self.org_sessions.get_mut(name) else {
            return;
        };
        let sent = org_session.issuer_client.uploads.under_way.take();
        if org_session.issuer_client.generation != generation {
            // Perhaps of the session before: what is held is asked for again.
            return self.records_are_due(name);
        }
        match result {
            Err(fault) => {
                self.heed(name, generation, &fault);
                self.not_taken(name, words(ISSUER, &fault));
            }
            Ok(answer) => {
                org_session.issuer_client.told_head(answer.head.clone());
                let records = &mut org_session.issuer_client.uploads;
                let before = records.held_seq();
                records.hold(answer, written);
                if records.held_seq() == before && sent.is_some_and(|count| count > 0) {
                    return self.not_taken(name, "no record was taken".into());
                }
                // Also where less is held than before: from there on they are sent again.
                records.failures = 0;
                if records.held_seq() < written {
                    records.due = Some(now);
                }
            }
        }
    }

    /// Kept, and tried again later and later.
    fn not_taken(&mut self, name: &OrgName, why: String) {
        let now = self.now();
        let random = u64::try_from(self.ports.rng.random() % 1000).unwrap_or(0);
        if let Some(org_session) = self.org_sessions.get_mut(name) {
            let again = org_session.issuer_client.bearer.is_some();
            let records = &mut org_session.issuer_client.uploads;
            records.not_taken(why, again.then_some(now), random);
        }
    }

    /// The orderly end: files withdrawn, log durable and anchored, and the last records sent.
    pub(super) async fn close(&mut self) {
        if self.durable.lost.is_some() {
            // Files and log may be another agent's by now.
            return self.followers.delete_own_files();
        }
        let _ = self.followers.sweep();
        self.sync_log();
        let names: Vec<OrgName> = self.org_sessions.keys().cloned().collect();
        let mut sendings = Vec::new();
        for name in names {
            if let Some((sending, _)) = self.batch(&name) {
                sendings.push((name, sending));
            }
        }
        if sendings.is_empty() {
            return;
        }
        let written = self.durable.audit_chain.sequence();
        let parting = async {
            for (name, sending) in sendings {
                if let Ok(answer) = sending.await
                    && let Some(org_session) = self.org_sessions.get_mut(&name)
                {
                    org_session.issuer_client.uploads.hold(answer, written);
                }
            }
        };
        let _ = tokio::time::timeout(PARTING, parting).await;
        self.save_quietly();
    }
}

/// What organizations hold, for `oam log --verify`.
pub(super) fn held_at(org_sessions: &OrgSessions) -> Vec<HeldAt> {
    let held = org_sessions.iter().filter_map(|(name, org_session)| {
        let held = org_session.issuer_client.uploads.held.as_ref()?;
        let real = held.seq > 0 && held.hash != GENESIS;
        real.then(|| HeldAt {
            org: name.clone(),
            sequence: held.seq,
            hash: held.hash.clone(),
        })
    });
    held.collect()
}

impl OrgSession {
    /// There may be records that the organization does not hold yet, of `written`.
    fn records_are_due(&mut self, written: u64, now: Moment) {
        // With an old bearer they wait for its renewal: the session is not renewed for them.
        let may = self.usable_bearer(now).is_some();
        let records = &mut self.issuer_client.uploads;
        if may && (records.unsure || records.held_seq() < written) && records.due.is_none() {
            records.due = Some(now.plus(BATCH_AFTER_MS));
        }
    }

    /// The issuer on this connection may have another database than the one before: a new one, or a
    /// backup. What it holds is asked once on each, also when there is nothing to send: otherwise nobody
    /// would learn that records are missing there until the next one is written.
    pub(super) fn what_is_held_may_differ(
        &mut self,
        connection: Option<u64>,
        written: u64,
        now: Moment,
    ) {
        let records = &mut self.issuer_client.uploads;
        if connection.is_some_and(|number| number <= records.asked_on) {
            return;
        }
        records.asked_on = connection.unwrap_or(records.asked_on);
        // Where nothing is held as far as is known, the next batch begins at the first record anyway.
        records.unsure = records.held_seq() > 0;
        self.records_are_due(written, now);
    }
}

impl Uploads {
    /// Kept, and tried `again` later and later, if at all.
    fn not_taken(&mut self, why: String, again: Option<Moment>, random: u64) {
        let wait = (FIRST_WAIT_MS << self.failures.min(6)).min(LONGEST_WAIT_MS);
        self.failures = self.failures.saturating_add(1);
        self.trouble = Some(why);
        self.due = again.map(|now| now.plus(wait - wait / 4 + wait / 2 * random / 1000));
    }

    /// Number of the last record that the organization holds as far as is known; 0: none.
    pub(super) fn held_seq(&self) -> u64 {
        self.held.as_ref().map_or(0, |held| held.seq)
    }

    /// The organization's own word on what it holds, of a log of `written` records.
    fn hold(&mut self, answer: UploadAnswer, written: u64) {
        self.unsure = false;
        self.trouble = None;
        self.alarm = answer.alarm;
        if answer.held_seq > written {
            // Another log of this name, or one that was cut: nothing to send until it grew.
            self.alarm.get_or_insert(format!(
                "the organization holds record {} of this log, which ends at record {written}",
                answer.held_seq
            ));
        }
        self.held = Some(AuditAnchor {
            seq: answer.held_seq,
            hash: answer.held_hash,
        });
    }
}
