//! Directories that are read, in every REST dialect: who is in and out, and in which group.

use super::directory_stand_in::{DIALECTS, StandIn};
use super::world::World;
use crate::directory::poll::{PollMode, PollOutcome, PollSummary, poll};
use serde_json::json;

const PUBLISHES: &str = "role:publisher write";
const READS: &str = "role:reader read";

/// A company whose directory is read.
pub struct Read {
    pub world: World,
    pub stand_in: StandIn,
    /// With the secret that the settings name.
    _folder: tempfile::TempDir,
}

impl Read {
    /// With three people, of whom ada and bob are in the group `ml`, and ada came here already.
    pub async fn start(dialect: &str, more: &str) -> Self {
        let stand_in = StandIn::start().await;
        let folder = tempfile::tempdir().unwrap();
        let table = stand_in.settings(dialect, folder.path(), more);
        let world = World::with(|settings| {
            settings.replacen("[sources.ci]", &format!("{table}[sources.ci]"), 1)
        })
        .await;
        {
            let mut company = stand_in.company();
            for name in ["ada", "bob", "cyd"] {
                company.hire(name);
            }
            company.groups.insert(
                "ml".into(),
                vec!["ada".into(), "bob".into(), "a-device".into()],
            );
        }
        Self {
            world,
            stand_in,
            _folder: folder,
        }
    }

    pub async fn poll_as(&self, mode: PollMode) -> PollOutcome {
        let source = "okta".parse().unwrap();
        let live_config = self.world.issuer.live_config();
        let settings = live_config.settings.sources[0].directory.as_ref().unwrap();
        poll(&self.world.issuer, &source, settings, mode)
            .await
            .unwrap()
    }

    #[track_caller]
    pub fn taken(outcome: PollOutcome) -> PollSummary {
        match outcome {
            PollOutcome::Taken(summary) => *summary,
            other => panic!("{other:?}"),
        }
    }

    pub async fn poll(&self) -> PollSummary {
        Self::taken(self.poll_as(PollMode::Take).await)
    }

    /// The status of an exchange for this role.
    pub async fn asked(&self, who: &str, role: &str) -> u16 {
        let scope = if role == "publisher" {
            PUBLISHES
        } else {
            READS
        };
        let resource = "https://hub.acme.example/acme/model";
        let token = self.world.id_token(who, &json!({}));
        self.world.exchange(&token, resource, scope).await.status
    }
}

#[tokio::test]
async fn whoever_is_switched_off_in_the_directory_is_out_and_back_when_they_are_on_again() {
    for dialect in DIALECTS {
        let read = Read::start(dialect, "").await;
        assert_eq!(read.asked("ada", "publisher").await, 200, "{dialect}");
        let role = read
            .world
            .granted(&read.world.id_token("ada", &json!({})), PUBLISHES)
            .await;
        let first = read.poll().await;
        assert_eq!((first.users, first.groups), (3, 1), "{dialect}");
        assert_eq!(
            read.poll().await.new.len(),
            0,
            "{dialect}: nothing is new twice"
        );
        assert_eq!(read.asked("ada", "publisher").await, 200, "{dialect}");
        // Cyd's token says the group, and the directory does not.
        assert_ne!(read.asked("cyd", "publisher").await, 200, "{dialect}");

        read.stand_in.company().employee("ada").active = false;
        let shown = Read::taken(read.poll_as(PollMode::Show).await);
        assert_eq!(shown.ended, ["ada@acme.example"], "{dialect}");
        assert_eq!(
            read.asked("ada", "reader").await,
            200,
            "{dialect}: nothing was written"
        );
        // What changed is told once there.
        read.stand_in.company().employee("ada").active = false;
        assert_eq!(read.poll().await.ended, ["ada@acme.example"], "{dialect}");
        assert_ne!(read.asked("ada", "reader").await, 200, "{dialect}");
        let hub = read.world.register("models", "models").await;
        let live = read.world.introspect(&hub, &role).await.expect(200).json();
        assert_eq!(live["active"], false, "{dialect}");
        let ended = read.world.audit("revocation").await;
        assert!(
            ended[0]["detail"]
                .as_str()
                .unwrap()
                .contains("deactivated in the directory")
        );

        read.stand_in.company().employee("ada").active = true;
        assert_eq!(read.poll().await.new, ["ada@acme.example"], "{dialect}");
        let row = read.world.person("ada").await.unwrap();
        assert!(row.account.ended().is_none(), "{dialect}");
    }
}

#[tokio::test]
async fn a_leaver_whom_the_directory_no_longer_has_is_out_and_a_group_that_is_left_takes_its_role()
{
    for dialect in DIALECTS {
        let read = Read::start(dialect, "").await;
        assert_eq!(read.asked("ada", "publisher").await, 200, "{dialect}");
        assert_eq!(read.asked("bob", "publisher").await, 200, "{dialect}");
        read.poll().await;
        read.stand_in.company().fire("bob");
        assert_eq!(read.poll().await.ended, ["bob@acme.example"], "{dialect}");
        assert_ne!(read.asked("bob", "reader").await, 200, "{dialect}");
        read.stand_in
            .company()
            .groups
            .insert("ml".into(), vec!["cyd".into()]);
        let moved = read.poll().await.moved;
        assert_eq!(moved, [("ml".to_owned(), 1, 1)], "{dialect}");
        let row = read.world.person("ada").await.unwrap();
        assert_eq!(row.held.len(), 1, "{dialect}: {:?}", row.held);
        assert_ne!(read.asked("ada", "publisher").await, 200, "{dialect}");
        assert_eq!(read.asked("cyd", "publisher").await, 200, "{dialect}");
        let told = read.world.audit("roles-changed").await;
        let last = told.last().unwrap()["detail"].as_str().unwrap();
        assert!(last.contains("out of ml; lost: publisher"), "{last}");
    }
}

#[tokio::test]
async fn what_is_read_is_as_old_as_the_moment_at_which_its_reading_began() {
    let read = Read::start("okta", "").await;
    read.asked("ada", "publisher").await;
    let before = oam_system::clock::now_ms();
    read.poll().await;
    let after = oam_system::clock::now_ms();
    let row = read.world.person("ada").await.unwrap();
    let counting = row.counting_groups();
    assert_eq!(
        (counting.origin.word(), counting.groups),
        ("poll", Some(&["ml".to_owned()][..]))
    );
    assert!((before..=after).contains(&counting.at_ms));
    let token = read
        .world
        .id_token("ada", &json!({ "groups": ["ml", "sales"] }));
    read.world
        .exchange(&token, "https://hub.acme.example/acme/model", READS)
        .await
        .expect(200);
    let why = read
        .world
        .bearer("/v1/why?hub=models&repository=acme/model", &token)
        .await;
    let groups = why.expect(200).json()["groups"].clone();
    let of = |at: usize| {
        (
            groups[at]["group"].clone(),
            groups[at]["by"].clone(),
            groups[at]["counts"].clone(),
        )
    };
    assert_eq!(of(0), (json!("ml"), json!("poll"), json!(true)));
    assert_eq!(of(1), (json!("sales"), json!("token"), json!(false)));
    assert!(
        groups[1]["because"]
            .as_str()
            .unwrap()
            .contains("the directory"),
        "{groups}"
    );
    read.poll().await;
    let later = read
        .world
        .person("ada")
        .await
        .unwrap()
        .counting_groups()
        .at_ms;
    assert!(
        later > counting.at_ms,
        "nothing changed, and it is proven anew"
    );
}

#[tokio::test]
async fn a_list_that_moves_over_the_edge_of_a_page_is_read_again_and_nobody_falls_out_of_it() {
    let read = Read::start("keycloak", "").await;
    for number in 0..1_100 {
        read.stand_in.company().hire(&format!("p{number:04}"));
    }
    let first = read.poll().await;
    assert_eq!(first.users, 1_103);
    let pages = read
        .stand_in
        .company()
        .asked
        .iter()
        .filter(|url| url.contains("/users?"))
        .count();
    assert_eq!(pages, 3);
    assert_eq!(read.poll().await.ended.len(), 0);
}
