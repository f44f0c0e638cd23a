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
use super::issuer_client::Uploads;
use super::org_context::OrgContext;
use super::org_session::{OrgSession, OrgSessions};
use super::ports::LocalBoxFuture;
use super::state::AuditAnchor;
use super::work::Work;
use oam_audit::record::GENESIS;
use oam_model::answer::EndpointFault;
use oam_model::feed::{Upload, UploadAnswer};
use oam_model::organization::VERSION;
use oam_model::report::HeldAt;
use oam_model::time::Moment;
use oam_session::standing::{ISSUER, words};
use sent::{for_eyes_of, name_at};

/// A batch goes this long after the first of its records is durable, ms.
const BATCH_AFTER_MS: u64 = 3_000;
/// Lines and bytes of a batch at most.
const BATCH_LINES: usize = 256;
/// (as texts in JSON they are twice as long at most, and the issuer takes 1 MiB).
const BATCH_BYTES: usize = 500 * 1024;
/// First and longest wait after a batch that was not taken, ms.
const FIRST_WAIT_MS: u64 = 5_000;
const LONGEST_WAIT_MS: u64 = 300_000;
impl OrgSession {
    /// Sends a batch when one is due.
    pub(super) fn send_records(&mut self, cx: &mut OrgContext<'_>) {
        let due = self.issuer_client.uploads.due;
        if due.is_some_and(|at| cx.now().reached(at)) {
            self.send_batch(cx);
        }
    }

    fn send_batch(&mut self, cx: &mut OrgContext<'_>) {
        self.issuer_client.uploads.due = None;
        let Some((sending, generation)) = self.batch(cx) else {
            return;
        };
        let org = self.name.clone();
        cx.aside.run(async move {
            PortAnswer::Uploaded {
                org,
                generation,
                result: sending.await,
            }
        });
    }

    /// The next batch, on its way; none when there is none or it can't go now.
    pub(super) fn batch(
        &mut self,
        cx: &mut OrgContext<'_>,
    ) -> Option<(LocalBoxFuture<Result<UploadAnswer, EndpointFault>>, u64)> {
        // The organization must not hold what a crash could take from the disk.
        if cx.durable.audit_chain.dirty {
            cx.sync_log(self);
        }
        let end = cx
            .durable
            .audit_chain
            .durable_head()
            .filter(|_| !cx.durable.audit_chain.dirty)?;
        let (org, bearer) = self.usable_bearer(cx.now())?;
        let records = &self.issuer_client.uploads;
        let held = records.held_seq();
        if records.under_way.is_some() || (held >= end.seq && !records.unsure) {
            return None;
        }
        let upload = match self.upload(cx, held, end) {
            Ok(upload) => upload,
            Err(why) => {
                self.not_taken(cx, why);
                return None;
            }
        };
        self.issuer_client.uploads.under_way = Some(upload.lines.len());
        let sending = cx.ports.issuer.upload(&org, bearer, upload);
        Some((sending, self.issuer_client.generation))
    }

    fn upload(
        &self,
        cx: &mut OrgContext<'_>,
        held: u64,
        end: AuditAnchor,
    ) -> Result<Upload, String> {
        let alone = cx.settings.orgs.len() == 1 && cx.durable.orphaned.is_empty();
        let lines = if held < end.seq {
            cx.ports.journal.lines(held + 1, BATCH_LINES, BATCH_BYTES)?
        } else {
            Vec::new()
        };
        let (name, subject) = (&self.name, self.person().unwrap_or_default());
        Ok(Upload {
            v: VERSION,
            log: name_at(cx.durable.audit_chain.first()?, name, &subject),
            head_seq: end.seq,
            head_hash: end.hash,
            after_seq: held,
            known_head: self.issuer_client.head.clone(),
            lines: lines
                .into_iter()
                .map(|line| for_eyes_of(name, line, alone))
                .collect(),
        })
    }

    pub(super) fn uploaded(
        &mut self,
        cx: &mut OrgContext<'_>,
        generation: u64,
        result: Result<UploadAnswer, EndpointFault>,
    ) {
        let now = cx.now();
        let written = cx.durable.audit_chain.sequence();
        let sent = self.issuer_client.uploads.under_way.take();
        if self.issuer_client.generation != generation {
            // Perhaps of the session before: what is held is asked for again.
            return self.records_are_due(written, now);
        }
        match result {
            Err(fault) => {
                self.heed(cx, generation, &fault);
                let not_taken = Work::RecordsNotTaken(words(ISSUER, &fault));
                cx.queue.push(&self.name, not_taken);
            }
            Ok(answer) => {
                self.issuer_client.told_head(answer.head.clone());
                let records = &mut self.issuer_client.uploads;
                let before = records.held_seq();
                records.hold(answer, written);
                if records.held_seq() == before && sent.is_some_and(|count| count > 0) {
                    return self.not_taken(cx, "no record was taken".into());
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
    pub(super) fn not_taken(&mut self, cx: &OrgContext<'_>, why: String) {
        let random = u64::try_from(cx.ports.rng.random() % 1000).unwrap_or(0);
        let again = self.issuer_client.bearer.is_some();
        let records = &mut self.issuer_client.uploads;
        records.not_taken(why, again.then_some(cx.now()), random);
    }

    /// There may be records that the organization does not hold yet, of `written`.
    pub(super) fn records_are_due(&mut self, written: u64, now: Moment) {
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
    pub(super) fn hold(&mut self, answer: UploadAnswer, written: u64) {
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
