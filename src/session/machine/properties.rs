//! Properties that hold for every order of events (promises 1 to 4).

mod world;

use super::fixture::{LIMITS, START, live};
use super::*;
use proptest::prelude::*;
use world::World;

/// What the world does next.
#[derive(Debug, Clone)]
enum Move {
    Ask(u8, bool),
    Follow(u8, bool),
    Unfollow,
    Pass(u32),
    /// Seconds that the subject token lives.
    RefreshOk(u16),
    RefreshBad(u8),
    MintOk(u16),
    MintBad(u8),
    Reject,
    SignIn(u16),
    SignOut,
    Revoke,
    Bind(bool),
    /// Evidence of so many ms ago.
    Vouch(u32),
    Doubt,
    /// The role of the third order is lost; or nothing is, and it is not held.
    RolesLost(bool),
    /// Which meaning the issuer's refusal has.
    MintDenied(u8),
    Renew,
    Prove,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        6 => (0..3u8, any::<bool>()).prop_map(|(n, s)| Move::Ask(n, s)),
        2 => (0..3u8, any::<bool>()).prop_map(|(n, s)| Move::Follow(n, s)),
        1 => Just(Move::Unfollow),
        4 => prop_oneof![0..3_000u32, 20_000..90_000u32, 500_000..700_000u32].prop_map(Move::Pass),
        4 => prop_oneof![0..30u16, 300..4000u16].prop_map(Move::RefreshOk),
        2 => (0..5u8).prop_map(Move::RefreshBad),
        4 => prop_oneof![0..70u16, 61..1000u16].prop_map(Move::MintOk),
        2 => (0..4u8).prop_map(Move::MintBad),
        1 => Just(Move::Reject),
        2 => prop_oneof![0..30u16, 300..4000u16].prop_map(Move::SignIn),
        1 => Just(Move::SignOut),
        1 => Just(Move::Revoke),
        1 => any::<bool>().prop_map(Move::Bind),
        3 => prop_oneof![0..3_000u32, 30_000..900_000u32].prop_map(Move::Vouch),
        1 => Just(Move::Doubt),
        1 => any::<bool>().prop_map(Move::RolesLost),
        2 => (0..4u8).prop_map(Move::MintDenied),
        1 => Just(Move::Renew),
        1 => Just(Move::Prove),
    ];
    proptest::collection::vec(one, 1..80)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_token_after_an_end_one_renewal_at_a_time_and_one_answer_to_every_ask(moves in moves(), fresh in prop_oneof![Just(60_000u64), Just(0u64)]) {
        let mut world = World::new(fresh);
        world.sign_in(600);
        for step in moves {
            world.play(&step);
            world.check_wake();
        }
        world.settle();
        prop_assert!(world.open.is_empty(), "unanswered: {:?}", world.open);
    }

    #[test]
    fn an_organization_without_asks_or_children_wants_no_early_wake(ms in 0..600_000u64) {
        let mut machine = SessionMachine::new("acme", LIMITS, 0, 0);
        machine.step(PersonEvent::SignedIn(live(START)), START);
        let wake = machine.next_wake(START.plus(ms)).unwrap();
        prop_assert!(wake > 3_600_000, "{wake}");
    }
}
