//! [`Directories`] in memory.

use crate::memory::MemoryStore;
use crate::{
    BoxFuture, Directories, DirectoryFilter, DirectoryGroup, DirectoryPage, DirectoryState,
    DirectoryUser, PersonRow, PollState,
};
use oam_model::name::SourceName;

fn page<T: Clone>(found: Vec<&T>, skip: u64, limit: usize) -> DirectoryPage<T> {
    let skipped = usize::try_from(skip).unwrap_or(usize::MAX);
    DirectoryPage {
        total: found.len() as u64,
        rows: found
            .into_iter()
            .skip(skipped)
            .take(limit)
            .cloned()
            .collect(),
    }
}

fn is(wanted: Option<&String>, has: Option<&str>) -> bool {
    wanted.is_none_or(|wanted| has == Some(wanted))
}

fn is_named(wanted: Option<&String>, has: &str) -> bool {
    wanted.is_none_or(|wanted| has.eq_ignore_ascii_case(wanted))
}

impl Directories for MemoryStore {
    fn directory_user(
        &self,
        source: SourceName,
        id: String,
    ) -> BoxFuture<'_, Option<DirectoryUser>> {
        self.read(|rows| {
            rows.directory
                .user(&source, &id)
                .map(|row| row.user.clone())
        })
    }

    fn directory_users(
        &self,
        source: SourceName,
        filter: DirectoryFilter,
        skip: u64,
        limit: usize,
    ) -> BoxFuture<'_, DirectoryPage<DirectoryUser>> {
        self.read(|rows| {
            let users = rows.directory.users.iter().map(|row| &row.user);
            let meant = users.filter(|user| {
                let mut emails = user.emails.iter();
                let email = filter.email.as_ref();
                user.source == source
                    && is(filter.id.as_ref(), Some(&user.id))
                    && is(filter.external_id.as_ref(), user.external_id.as_deref())
                    && is_named(filter.name.as_ref(), &user.user_name)
                    && email.is_none_or(|email| emails.any(|one| one.eq_ignore_ascii_case(email)))
            });
            page(meant.collect(), skip, limit)
        })
    }

    fn directory_twin(&self, user: DirectoryUser) -> BoxFuture<'_, Option<DirectoryUser>> {
        self.read(|rows| rows.directory.twin(&user).cloned())
    }

    fn directory_group(
        &self,
        source: SourceName,
        id: String,
    ) -> BoxFuture<'_, Option<DirectoryGroup>> {
        self.read(|rows| {
            rows.directory
                .group(&source, &id)
                .map(|row| row.group.clone())
        })
    }

    fn directory_group_named(
        &self,
        source: SourceName,
        name: String,
    ) -> BoxFuture<'_, Option<DirectoryGroup>> {
        self.read(|rows| rows.directory.group_named(&source, &name).cloned())
    }

    fn directory_groups(
        &self,
        source: SourceName,
        filter: DirectoryFilter,
        skip: u64,
        limit: usize,
    ) -> BoxFuture<'_, DirectoryPage<DirectoryGroup>> {
        self.read(|rows| {
            let groups = rows.directory.groups.iter().map(|row| &row.group);
            let meant = groups.filter(|group| {
                group.source == source
                    && is(filter.id.as_ref(), Some(&group.id))
                    && is(filter.external_id.as_ref(), group.external_id.as_deref())
                    && is_named(filter.name.as_ref(), &group.display_name)
            });
            page(meant.collect(), skip, limit)
        })
    }

    fn directory_members(&self, source: SourceName, group: String) -> BoxFuture<'_, Vec<String>> {
        self.read(|rows| {
            let rows = &rows.directory;
            let Some(group) = rows.group(&source, &group) else {
                return Vec::new();
            };
            let users = rows.users.iter().filter(|row| row.user.source == source);
            let ids = users.map(|row| &row.user.id);
            ids.filter(|id| group.members.contains(id))
                .cloned()
                .collect()
        })
    }

    fn directory_known(&self, source: SourceName, ids: Vec<String>) -> BoxFuture<'_, Vec<String>> {
        self.read(|rows| {
            let users = rows.directory.users.iter();
            let known = users.filter(|row| row.user.source == source && ids.contains(&row.user.id));
            known.map(|row| row.user.id.clone()).collect()
        })
    }

    fn directory_seen(
        &self,
        source: SourceName,
        ids: Vec<String>,
    ) -> BoxFuture<'_, Vec<PersonRow>> {
        self.read(|rows| {
            let users = rows.directory.users.iter();
            let meant = users.filter(|row| row.user.source == source && ids.contains(&row.user.id));
            let known = meant.filter_map(|row| rows.person(&row.user.principal()));
            let mut seen: Vec<_> = known.filter(|row| !row.is_never_seen()).collect();
            seen.sort_by(|a, b| a.seen.key.cmp(&b.seen.key));
            seen
        })
    }

    fn directory_poll(&self, source: SourceName) -> BoxFuture<'_, PollState> {
        self.read(|rows| {
            let poll = rows.directory.polls.get(&source);
            poll.cloned().unwrap_or_default()
        })
    }

    fn directory_state(&self, source: SourceName) -> BoxFuture<'_, DirectoryState> {
        self.read(|rows| {
            let rows = &rows.directory;
            let users = rows.users.iter().filter(|row| row.user.source == source);
            let groups = rows.groups.iter().filter(|row| row.group.source == source);
            let heard = rows.heard.get(&source);
            DirectoryState {
                users: users.count() as u64,
                groups: groups.count() as u64,
                heard_at_ms: heard.map(|heard| heard.0),
                changed_at_ms: heard.and_then(|heard| heard.1),
            }
        })
    }
}
