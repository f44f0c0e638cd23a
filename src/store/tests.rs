//! What every implementation of [`super::Store`] must do: functions over the trait, each run on
//! `SQLite` and in memory. Another store runs the same list.

mod audit;
mod both;
mod directory;
mod ends;
mod feed;
mod fixture;
mod kept;
mod people;
mod polls;
mod strangers;
mod teams;
mod tokens;

use super::memory::MemoryStore;
use super::sqlite::SqliteStore;
use super::{BoxFuture, Store};
pub(super) use audit::verified;
pub(super) use fixture::{
    NOW, NOW_MS, changes, commit, end, entries, exchange, noted, person, seen,
};

/// Runs one function on a store.
fn run(store: &dyn Store, test: impl for<'a> FnOnce(&'a dyn Store) -> BoxFuture<'a, ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(test(store)).unwrap();
}

/// Runs one function on a new `SQLite` store.
fn on_sqlite(test: impl for<'a> FnOnce(&'a dyn Store) -> BoxFuture<'a, ()>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("issuer.db");
    run(
        &SqliteStore::open(&path, &"acme".parse().unwrap()).unwrap(),
        test,
    );
}

/// The same on one in memory.
fn in_memory(test: impl for<'a> FnOnce(&'a dyn Store) -> BoxFuture<'a, ()>) {
    run(&MemoryStore::default(), test);
}

/// Each function once on each store.
macro_rules! conformance {
    ($($module:ident: $($name:ident)+;)+) => {
        conformance!(@on on_sqlite; $($($module $name)+)+);
        conformance!(@on in_memory; $($($module $name)+)+);
    };
    (@on $store:ident; $($module:ident $name:ident)+) => {
        mod $store {
            $(
                #[test]
                fn $name() {
                    super::$store(|store| Box::pin(async move {
                        super::$module::$name(store).await;
                        Ok(())
                    }));
                }
            )+
        }
    };
}

conformance! {
    tokens:
        a_token_and_its_record_are_written_together
        every_member_of_a_token_is_kept
        a_token_that_a_hub_gives_again_is_the_later_row
        an_issue_that_an_end_overtook_writes_nothing
        a_job_has_no_epoch_and_is_still_ended
        a_signal_is_taken_once
        a_batch_that_fails_late_leaves_nothing
        many_at_once_keep_the_chain_whole_and_only_bad_ones_fail
        a_token_that_is_revoked_stays_known
        tokens_that_are_over_are_due_at_their_hubs_while_they_are_kept;
    ends:
        every_kind_of_end_makes_tokens_inactive_and_is_told
        an_earlier_end_that_arrives_late_does_not_take_back_a_later_one
        somebody_who_was_never_seen_can_be_ended
        a_restored_account_needs_a_new_sign_in
        an_order_that_changes_nothing_is_not_written
        an_end_and_a_restoration_come_to_the_same_in_either_order
        a_restoration_of_somebody_who_was_never_seen_counts_when_an_older_end_arrives
        a_role_that_was_issued_since_roles_were_compared_ends_with_it
        a_session_is_as_old_as_its_first_evidence
        tokens_of_lost_roles_end_and_others_live_on
        groups_of_a_signal_count_until_younger_evidence
        older_evidence_does_not_take_back_what_is_known;
    people:
        a_signal_finds_whom_every_member_of_it_names
        a_mail_address_matches_letters_of_ascii_only
        a_session_is_known_whatever_number_follows_until_it_is_too_old
        the_newest_exchange_of_a_code_is_told_from_sessions
        an_administrator_finds_people_by_any_of_their_names
        recent_people_come_page_by_page_in_order;
    strangers:
        a_stranger_is_ended_by_every_name_when_they_come
        a_name_with_one_member_that_differs_is_somebody_else
        a_strangers_events_come_to_the_same_in_any_order
        what_is_said_of_a_stranger_who_came_meanwhile_is_looked_at_again
        an_order_about_a_stable_key_does_not_hide_what_a_provider_says;
    feed:
        a_cursor_gives_what_came_after_it_for_its_subject_only
        an_unknown_cursor_is_reset_and_tells_no_old_events
        one_task_can_follow_the_feed_of_all
        a_commit_is_seen_by_who_watches;
    audit:
        every_filter_finds_its_lines
        a_filter_is_not_led_astray_by_what_a_text_says
        a_record_is_read_back_as_it_was_written
        a_prune_leaves_a_chain_that_says_where_it_goes_on;
    directory:
        a_directorys_user_is_kept_found_and_changed_by_its_version
        two_users_of_a_directory_are_never_one_person
        somebody_whom_the_directory_knows_is_found_before_they_come
        a_directory_ends_and_lifts_only_its_own_end
        members_make_the_groups_of_a_person
        what_is_deleted_in_a_directory_takes_its_memberships_along
        what_a_directory_said_is_forgotten_and_its_leavers_stay_out
        a_groups_name_is_one_groups_and_another_one_is_told_of_every_member
        roles_that_were_decided_before_a_membership_changed_are_refused;
    polls:
        a_confirmation_is_not_lost_to_a_reading_that_goes_on_beside_it;
    teams:
        teams_are_the_groups_of_whose_account_is_in_them
        a_team_is_renamed_left_and_dropped_by_its_number
        an_account_is_one_persons_and_can_change_hands_in_one_batch
        how_teams_were_read_is_known_until_they_are_forgotten
        every_group_of_somebody_is_told_with_its_source_and_whether_it_counts
        roles_that_were_decided_before_a_team_changed_are_refused;
    kept:
        a_stream_knows_its_latest_verification
        signing_keys_are_put_replaced_and_dropped
        secrets_of_an_owner_come_newest_first
        the_digest_of_the_policy_is_the_last_one
        an_agents_log_is_held_line_by_line
        lines_that_do_not_go_on_are_not_held
        records_that_come_after_all_were_dropped_are_kept
        a_days_share_of_records_is_counted_and_begins_anew;
}
