//! People and jobs as they are kept, and what each change makes of a row. Pure: every store applies these to
//! the row that it reads in its own transaction.

use oam_model::name::RoleName;
use oam_model::organization::GroupSource;
use oam_model::principal::PrincipalKey;
use oam_policy::account::{Account, AccountEvent};
use oam_policy::evidence::{
    DirectoryEvidence, EvidenceKind, GroupOrigin, TEAM, TEAM_BECAUSE, ToldGroups, deciding,
};
use oam_policy::teams::TeamEvidence;

/// A person or job as last seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonSeen {
    /// Source and stable key.
    pub key: PrincipalKey,
    /// `iss`.
    pub issuer: String,
    /// `sub`.
    pub subject: String,
    /// For display.
    pub username: Option<String>,
    /// For display and for signals.
    pub email: Option<String>,
    /// The groups of the token, when it said them.
    pub groups: Option<Vec<String>>,
    /// `sid` of the provider's session.
    pub session: Option<String>,
    /// The time that the evidence speaks of, Unix seconds.
    pub proven_at: u64,
    /// Unix milliseconds.
    pub at_ms: u64,
}

/// A person as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonRow {
    /// As last seen; `groups` may be those of a later signal.
    pub seen: PersonSeen,
    /// Roles held when last compared.
    pub held: Vec<RoleName>,
    /// Grows with every end and every role lost.
    pub epoch: u64,
    /// What ended.
    pub account: Account,
    /// Unix milliseconds of the last [`Change::RolesChanged`](crate::StoreChange::RolesChanged) by a signal that named groups or said
    /// that they changed: tokens of before tell old groups.
    pub groups_changed_at_ms: Option<u64>,
    /// What the company's directory says of them, if it knows them.
    pub directory: Option<DirectoryEvidence>,
    /// What GitHub says of their teams, if it is known which account is theirs.
    pub teams: Option<TeamEvidence>,
}

/// The groups of somebody that count, as far as they are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptGroups<'a> {
    /// Those that are no teams; none: they are unknown.
    pub groups: Option<&'a [String]>,
    /// Their teams at GitHub, which count beside the others.
    pub teams: &'a [String],
    /// Who says them.
    pub origin: GroupOrigin,
    /// Of when that word is, Unix milliseconds.
    pub at_ms: u64,
}

impl KeptGroups<'_> {
    /// All of them; none: they are unknown.
    pub fn all(&self) -> Option<Vec<String>> {
        self.groups.map(|groups| [groups, self.teams].concat())
    }
}

impl PersonRow {
    /// The groups that the directory says; none: it does not know the person, or said nothing of groups.
    pub fn directory_groups(&self) -> Option<&[String]> {
        self.directory.as_ref()?.groups.as_deref()
    }

    /// How its groups are known; none where it says none.
    fn directory_kind(&self) -> Option<EvidenceKind> {
        let said = self.directory.as_ref()?;
        said.groups.as_ref().map(|_| said.kind)
    }

    /// The groups that count until the next token, by the one table.
    pub fn counting_groups(&self) -> KeptGroups<'_> {
        let told = ToldGroups {
            by_directory: self.directory_kind(),
            by_signal: self.groups_changed_at_ms.is_some(),
        };
        let origin = deciding(told);
        let (groups, at_ms) = match origin {
            GroupOrigin::Directory(_) => (
                self.directory_groups(),
                self.directory.as_ref().map_or(0, |said| said.at_ms),
            ),
            GroupOrigin::Signal => (
                self.seen.groups.as_deref(),
                self.groups_changed_at_ms.unwrap_or_default(),
            ),
            GroupOrigin::Token => (
                self.seen.groups.as_deref(),
                self.seen.proven_at.saturating_mul(1000),
            ),
        };
        KeptGroups {
            groups,
            teams: self.team_groups(),
            origin,
            at_ms,
        }
    }

    /// Every group that anybody says of them, with its source. Those that count come first; of the token only what the
    /// directory does not say too.
    pub fn group_sources(&self) -> Vec<GroupSource> {
        let counting = self.counting_groups();
        let of = |group: &String, origin: GroupOrigin, at_ms, counts| GroupSource {
            group: group.clone(),
            by: origin.word().to_owned(),
            at_ms,
            counts,
            because: counting.origin.because().to_owned(),
        };
        let said = counting.groups.unwrap_or_default();
        let counted = said
            .iter()
            .map(|group| of(group, counting.origin, counting.at_ms, true));
        let by_directory = matches!(counting.origin, GroupOrigin::Directory(_));
        let others = self.seen.groups.iter().flatten();
        let others = others.filter(|group| by_directory && !said.contains(group));
        let at_ms = self.seen.proven_at.saturating_mul(1000);
        counted
            .chain(self.team_sources())
            .chain(others.map(|group| of(group, GroupOrigin::Token, at_ms, false)))
            .collect()
    }

    /// Their teams at GitHub, which count beside the other groups.
    pub fn team_sources(&self) -> Vec<GroupSource> {
        let at_ms = self.teams.as_ref().map_or(0, |said| said.at_ms);
        let of = |group: &String| GroupSource {
            group: group.clone(),
            by: TEAM.to_owned(),
            at_ms,
            counts: true,
            because: TEAM_BECAUSE.to_owned(),
        };
        self.team_groups().iter().map(of).collect()
    }

    /// Whether there is a row only because an order named the stable key.
    pub const fn is_never_seen(&self) -> bool {
        self.seen.subject.is_empty()
    }
}

/// A session of a person at its provider, to match a logout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SessionRow {
    /// `sid`.
    pub(super) sid: String,
    /// The time of its first evidence, Unix seconds.
    pub(super) first_s: u64,
}

/// How long a session is remembered after its first evidence, seconds: twice the longest age that an organization
/// can allow, for one that is forgotten would count as new.
const REMEMBERED_S: u64 = 2 * 90 * 24 * 3600;
/// How many sessions of a person are remembered.
const SESSIONS: usize = 1000;

impl PersonRow {
    /// A row of somebody who was not seen yet: they may be ended before they come, and must find that then.
    pub(super) fn unseen(key: &PrincipalKey, at_ms: u64) -> Self {
        Self::first(PersonSeen {
            key: key.clone(),
            issuer: String::new(),
            subject: String::new(),
            username: None,
            email: None,
            groups: None,
            session: None,
            proven_at: 0,
            at_ms,
        })
    }

    fn first(seen: PersonSeen) -> Self {
        Self {
            seen,
            held: Vec::new(),
            epoch: 0,
            account: Account::default(),
            groups_changed_at_ms: None,
            directory: None,
            teams: None,
        }
    }

    /// Somebody was seen. Older evidence than what is kept changes nothing but the time of the last sight;
    /// groups of a later signal stay until evidence that is later than it.
    pub(super) fn seen(kept: Option<Self>, seen: &PersonSeen) -> Self {
        let Some(mut row) = kept else {
            return Self::first(seen.clone());
        };
        let at_ms = row.seen.at_ms.max(seen.at_ms);
        if seen.proven_at >= row.seen.proven_at {
            let changed = row.groups_changed_at_ms;
            let later = changed.is_none_or(|at_ms| seen.proven_at.saturating_mul(1000) > at_ms);
            let groups = row.seen.groups.take();
            row.seen = seen.clone();
            if later {
                row.groups_changed_at_ms = None;
            } else {
                row.seen.groups = groups;
            }
        }
        row.seen.at_ms = at_ms;
        row
    }

    /// Somebody came for the first time: what the provider said of them before, by any name, is theirs.
    pub(super) fn taking_over(kept: Option<Self>, seen: &PersonSeen, said: &[Account]) -> Self {
        let mut row = Self::seen(kept, seen);
        for event in said.iter().flat_map(Account::told_by_provider) {
            row = row.after(&event);
        }
        row.overtaken()
    }

    /// An end of the account or of a session, or the lifting of one.
    pub(super) fn after(mut self, event: &AccountEvent) -> Self {
        self.account = self.account.after(event);
        self
    }

    /// Something ended: what was decided before and is committed after this is refused.
    pub(super) const fn overtaken(mut self) -> Self {
        self.epoch = self.epoch.saturating_add(1);
        self
    }

    /// The groups and roles are others. No groups: they are unknown from now on. None: an older signal arrived
    /// late, and does not take back the groups of a younger one or of a younger token.
    pub(super) fn roles_changed(
        mut self,
        groups: Option<&[String]>,
        held: &[RoleName],
        at_ms: u64,
    ) -> Option<Self> {
        if self.has_groups_after(at_ms) {
            return None;
        }
        self.seen.groups = groups.map(<[String]>::to_vec);
        self.groups_changed_at_ms = Some(at_ms);
        Some(self.holding(held, true))
    }

    /// Only the roles are others; `ends`: something was lost.
    pub(super) fn holding(mut self, held: &[RoleName], ends: bool) -> Self {
        self.held = held.to_vec();
        if ends { self.overtaken() } else { self }
    }

    /// Whether a sight of somebody is the first one.
    pub(super) fn is_first_sight(kept: Option<&Self>) -> bool {
        kept.is_none_or(Self::is_never_seen)
    }

    /// Whether a sight of somebody tells something of their sessions that is not known from the one before it.
    pub(super) fn tells_a_session(kept: Option<&Self>, seen: &PersonSeen) -> bool {
        let known = kept.is_some_and(|row| {
            row.seen.session == seen.session && row.seen.proven_at <= seen.proven_at
        });
        seen.session.is_some() && !known
    }
}

impl SessionRow {
    /// The sessions after one was used, the one used last at the end. Those of long ago are forgotten.
    pub(super) fn used(mut all: Vec<Self>, sid: &str, proven_at: u64) -> Vec<Self> {
        let known = all.iter().position(|one| one.sid == sid);
        let first_s = known.map_or(proven_at, |at| all.remove(at).first_s.min(proven_at));
        all.push(Self {
            sid: sid.to_owned(),
            first_s,
        });
        let oldest_s = proven_at.saturating_sub(REMEMBERED_S);
        all.retain(|one| one.sid == sid || one.first_s >= oldest_s);
        all.drain(..all.len().saturating_sub(SESSIONS));
        all
    }

    /// Whether its name is the exchange of a code: a sign-in for certain. The database asks that by itself.
    #[cfg(any(test, feature = "fixture"))]
    pub(super) fn is_code_exchange(&self) -> bool {
        self.sid.starts_with(oam_policy::claims::CODE_EXCHANGE)
    }
}
