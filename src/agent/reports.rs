//! What reading commands are told.

use super::durable::Durable;
use super::followers::Followers;
use super::org_session::{OrgSession, OrgSessions, with_roles};
use super::settings::LiveSettings;
use oam_config::agent::Org;
use oam_model::organization::HeldRole;
use oam_model::refusal::Refusal;
use oam_model::report::{
    FeedStatus, GrantRow, HubRow, OrgStatus, RecordsStatus, RoleRow, RolesReport, StatusReport,
    TokenOut, TokenState, WithoutRoles,
};
use oam_model::role::Role;
use oam_model::standing::StandingWord;
use oam_model::time::Moment;
use oam_session::role::holds;
use oam_session::state::Need;

/// A status names this many tokens, the newest of each organization: it must fit one message.
const TOKENS_SHOWN: usize = 96;

/// What reports are made of, at one moment.
pub(super) struct Reports<'a> {
    pub settings: &'a LiveSettings,
    pub org_sessions: &'a OrgSessions,
    pub durable: &'a Durable,
    pub followers: &'a Followers,
    pub version: &'a str,
    pub now: Moment,
}

impl Reports<'_> {
    pub(super) fn status(&self) -> StatusReport {
        let mut warnings = Vec::new();
        if let Some(why) = &self.settings.trouble {
            warnings.push(format!("an edit of the configuration was not taken: {why}"));
        }
        warnings.extend(self.durable.warnings());
        StatusReport {
            agent_version: self.version.to_owned(),
            agent_pid: std::process::id(),
            store: self.durable.kept_in().to_owned(),
            warnings,
            orgs: self
                .settings
                .orgs
                .iter()
                .filter_map(|org| self.org_status(org))
                .collect(),
        }
    }

    fn tokens_shown(&self) -> usize {
        TOKENS_SHOWN / self.settings.orgs.len().max(1)
    }

    fn org_status(&self, org: &Org) -> Option<OrgStatus> {
        let now = self.now;
        let org_session = self.org_sessions.get(&org.name)?;
        let (standing, limits) = (org_session.machine.standing(), org_session.machine.limits());
        let word = standing.word(now, limits);
        let live = standing.live();
        let refusal = (word != StandingWord::Active)
            .then(|| standing.refusal(org.name.as_str(), now, limits));
        Some(OrgStatus {
            org: org.name.clone(),
            issuer: org.provider.issuer.clone(),
            standing: word,
            detail: refusal
                .as_ref()
                .map(|refusal| refusal.sentence.clone())
                .or_else(|| live.and_then(|live| live.trouble.clone())),
            next: refusal.map(|refusal| refusal.next),
            subject: live.map(|live| live.identity.subject.clone()),
            email: live.and_then(|live| live.identity.email.clone()),
            signed_in_at: live.map(|live| live.signed_in_at_ms / 1000),
            last_proof_at: live.and_then(|live| live.last_proof).map(Moment::unix),
            session_ends_at: live.map(|live| (live.signed_in_at_ms + limits.session_age_ms) / 1000),
            epoch: org_session.machine.epoch(),
            roles: live.map_or_else(Vec::new, |live| {
                let of = with_roles(Some(org_session), org);
                let roles = of.iter().flat_map(|of| of.roles);
                let held = roles.filter(|role| holds(role, &live.identity.groups));
                held.map(|role| role.name.clone()).collect()
            }),
            roles_unknown: live
                .and_then(|_| with_roles(Some(org_session), org).err())
                .map(|refusal| refusal.sentence),
            hubs: org
                .hubs
                .iter()
                .map(|hub| HubRow {
                    hub: hub.name.clone(),
                    url: hub.url.clone(),
                    kind: hub.kind.word().into(),
                })
                .collect(),
            tokens: newest(org_session, now)
                .take(self.tokens_shown())
                .map(|out| token_out(org_session, out, now))
                .collect(),
            more_tokens: newest(org_session, now).skip(self.tokens_shown()).count(),
            elsewhere_until: (org_session.elsewhere_until > now.unix())
                .then_some(org_session.elsewhere_until),
            feed: self.feed_status(org),
            records: self.records_status(org),
            warnings: org_session.warnings(org),
            setup: org_session.issuer_client.setup.status(org),
        })
    }

    pub(super) fn roles(&self) -> RolesReport {
        let mut report = RolesReport {
            roles: Vec::new(),
            without: Vec::new(),
        };
        for org in &self.settings.orgs {
            let before = report.roles.len();
            let org_session = self.org_sessions.get(&org.name);
            let live = org_session.and_then(|org_session| org_session.machine.standing().live());
            if org.exchange.issuer().is_some() {
                let effective = org_session
                    .and_then(|org_session| org_session.issuer_client.entitlements.effective());
                let held = effective.iter().flat_map(|effective| &effective.roles);
                report.roles.extend(held.map(|held| held_row(org, held)));
            } else {
                let groups = live.map(|live| live.identity.groups.as_slice());
                let rows = org.roles.iter().map(|role| role_row(org, role, groups));
                report.roles.extend(rows);
            }
            if report.roles.len() == before {
                report.without.push(self.without_roles(org));
            }
        }
        report
    }

    /// Why an organization shows no role: the same answer as an ask would get.
    fn without_roles(&self, org: &Org) -> WithoutRoles {
        let (now, org_session) = (self.now, self.org_sessions.get(&org.name));
        let over = org_session.filter(|org_session| {
            let machine = &org_session.machine;
            machine.standing().live().is_none()
                || machine.standing().need(now, machine.limits()) == Need::Login
        });
        let refusal = over
            .map(|org_session| {
                let machine = &org_session.machine;
                machine
                    .standing()
                    .refusal(org.name.as_str(), now, machine.limits())
            })
            .or_else(|| with_roles(org_session, org).err())
            .unwrap_or_else(|| {
                let org_name = &org.name;
                if org.exchange.issuer().is_some() {
                    Refusal::denied(
                        format!("you hold no role at {org_name}"),
                        format!("ask the administrators of {org_name} for a group that holds one"),
                    )
                } else {
                    Refusal::denied(
                        format!("no role of {org_name} is configured"),
                        "add one to config.toml; `oam config path` names the file",
                    )
                }
            });
        WithoutRoles {
            org: org.name.clone(),
            why: refusal.sentence,
            next: refusal.next,
        }
    }
}

impl Reports<'_> {
    pub(super) fn feed_status(&self, org: &Org) -> Option<FeedStatus> {
        org.exchange.issuer()?;
        let now = self.now;
        let org_session = self.org_sessions.get(&org.name)?;
        let wanted = org_session.wants_news(self.followers.uses(&org.name), now);
        let issuer_client = &org_session.issuer_client;
        Some(FeedStatus {
            state: issuer_client.subscription.word(now).word().to_owned(),
            polling: issuer_client.subscription.polls() && wanted,
            as_of: issuer_client.subscription.as_of().map(Moment::unix),
            clock_ahead_ms: issuer_client.subscription.clock_ahead_ms(now),
            roles_read_at: issuer_client.entitlements.read_at.map(Moment::unix),
            roles_trouble: issuer_client
                .entitlements
                .unread
                .as_ref()
                .map(|unread| unread.why.clone()),
        })
    }

    pub(super) fn records_status(&self, org: &Org) -> Option<RecordsStatus> {
        org.exchange.issuer()?;
        let records = &self.org_sessions.get(&org.name)?.issuer_client.uploads;
        Some(RecordsStatus {
            held: records.held.as_ref().map_or(0, |held| held.seq),
            known: records.held.is_some(),
            written: self.durable.audit_chain.sequence(),
            alarm: records.alarm.clone(),
            trouble: records.trouble.clone(),
        })
    }
}

/// Tokens that are out, the newest first.
fn newest(org_session: &OrgSession, now: Moment) -> impl Iterator<Item = &TokenOut> {
    let out = org_session.outstanding.iter().rev();
    out.filter(move |out| out.granted.expires_at > now.unix())
}

fn token_out(org_session: &OrgSession, out: &TokenOut, now: Moment) -> TokenOut {
    let mut granted = out.granted.clone();
    granted.expires_in_s = granted.expires_at.saturating_sub(now.unix());
    TokenOut {
        granted,
        state: held_or_out(org_session, out),
    }
}

fn held_or_out(org_session: &OrgSession, out: &TokenOut) -> TokenState {
    let held = org_session
        .held
        .values()
        .any(|held| held.sha256 == out.granted.token_sha256);
    match (out.state, held) {
        (TokenState::Held, false) => TokenState::OutstandingUntil,
        (state, _) => state,
    }
}

fn held_row(org: &Org, held: &HeldRole) -> RoleRow {
    RoleRow {
        org: org.name.clone(),
        role: held.role.clone(),
        description: held.description.clone(),
        held: true,
        because: held.because.clone(),
        lifetime_s: held.lifetime_s,
        offline: held.offline,
        grants: held
            .grants
            .iter()
            .map(|grant| GrantRow {
                hub: grant.hub.clone(),
                repositories: grant.repositories.clone(),
                action: grant.action,
            })
            .collect(),
    }
}

fn role_row(org: &Org, role: &Role, groups: Option<&[String]>) -> RoleRow {
    let held = groups.is_some_and(|groups| holds(role, groups));
    let because = match (groups, role.groups.is_empty()) {
        (None, _) => "nobody is signed in".to_owned(),
        (Some(_), true) => format!("every member of {} holds it", org.name),
        (Some(_), false) if held => format!("through {}", role.groups.join(" or ")),
        (Some(_), false) => format!("needs membership of {}", role.groups.join(" or ")),
    };
    RoleRow {
        org: org.name.clone(),
        role: role.name.clone(),
        description: role.description.clone(),
        held,
        because,
        lifetime_s: role.lifetime_s,
        offline: role.offline,
        grants: role
            .grants
            .iter()
            .map(|grant| GrantRow {
                hub: grant.hub.clone(),
                repositories: grant.repositories.clone(),
                action: grant.action,
            })
            .collect(),
    }
}
