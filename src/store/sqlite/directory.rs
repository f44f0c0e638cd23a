//! [`Directories`] in `SQLite`.

use super::SqliteStore;
use super::read::directory as read;
use super::reader::Kind;
use crate::{
    BoxFuture, Directories, DirectoryFilter, DirectoryGroup, DirectoryPage, DirectoryState,
    DirectoryUser, PersonRow, PollState,
};
use oam_model::name::SourceName;

impl Directories for SqliteStore {
    fn directory_user(
        &self,
        source: SourceName,
        id: String,
    ) -> BoxFuture<'_, Option<DirectoryUser>> {
        self.read(Kind::Key, move |database, _| {
            read::user_by_id(database, &source, &id)
        })
    }

    fn directory_users(
        &self,
        source: SourceName,
        filter: DirectoryFilter,
        skip: u64,
        limit: usize,
    ) -> BoxFuture<'_, DirectoryPage<DirectoryUser>> {
        self.read(Kind::Search, move |database, _| {
            read::users(database, &source, &filter, (skip, limit))
        })
    }

    fn directory_twin(&self, user: DirectoryUser) -> BoxFuture<'_, Option<DirectoryUser>> {
        self.read(Kind::Key, move |database, _| read::twin(database, &user))
    }

    fn directory_group(
        &self,
        source: SourceName,
        id: String,
    ) -> BoxFuture<'_, Option<DirectoryGroup>> {
        self.read(Kind::Key, move |database, _| {
            read::group_by_id(database, &source, &id)
        })
    }

    fn directory_group_named(
        &self,
        source: SourceName,
        name: String,
    ) -> BoxFuture<'_, Option<DirectoryGroup>> {
        self.read(Kind::Key, move |database, _| {
            read::group_by_name(database, &source, &name)
        })
    }

    fn directory_groups(
        &self,
        source: SourceName,
        filter: DirectoryFilter,
        skip: u64,
        limit: usize,
    ) -> BoxFuture<'_, DirectoryPage<DirectoryGroup>> {
        self.read(Kind::Search, move |database, _| {
            read::groups(database, &source, &filter, (skip, limit))
        })
    }

    fn directory_members(&self, source: SourceName, group: String) -> BoxFuture<'_, Vec<String>> {
        self.read(Kind::Search, move |database, _| {
            read::members(database, &source, &group)
        })
    }

    fn directory_known(&self, source: SourceName, ids: Vec<String>) -> BoxFuture<'_, Vec<String>> {
        self.read(Kind::Search, move |database, _| {
            read::known(database, &source, &ids)
        })
    }

    fn directory_seen(
        &self,
        source: SourceName,
        ids: Vec<String>,
    ) -> BoxFuture<'_, Vec<PersonRow>> {
        self.read(Kind::Search, move |database, _| {
            read::seen(database, &source, &ids)
        })
    }

    fn directory_poll(&self, source: SourceName) -> BoxFuture<'_, PollState> {
        self.read(Kind::Key, move |database, _| read::poll(database, &source))
    }

    fn directory_state(&self, source: SourceName) -> BoxFuture<'_, DirectoryState> {
        self.read(Kind::Search, move |database, _| {
            read::state(database, &source)
        })
    }
}
