//! What others remember of the audit log.

use super::world::{World, answer, until};
use crate::files::read;
use crate::history::{refresh, sign, verified};
use crate::seal::MasterKey;
use crate::serve::open;
use oam_audit::history::Position;
use oam_model::audit::{AuditEvent, AuditRecord};
use oam_store::sqlite::{self, DatabaseFiles, read_mark};
use serde_json::{Value, json};

const MODEL: &str = "https://hub.acme.example/acme/model";

async fn poll(world: &World, token: &str, head: &str) -> Value {
    let request = world.client.get(format!("{}/v1/feed", world.url));
    let request = request
        .bearer_auth(token)
        .header("accept", "application/json")
        .header("oam-head", head);
    answer(request).await.expect(200).json()
}

#[tokio::test]
async fn a_server_does_not_begin_to_serve_an_older_copy() {
    let mut world = World::start().await;
    let at = |name: &str| world.folder.path().join(name);
    let (database, copy, config) = (at("issuer.db"), at("copy"), at("issuer.toml"));
    let org = world.issuer.org_name();
    sqlite::backup(&database, &org, &copy).unwrap();
    let ada = world.id_token("ada", &json!({}));
    world.exchange(&ada, MODEL, "write").await.expect(200);
    let files = DatabaseFiles::new(&database, None);
    let written = async || {
        let end = world.issuer.store.history().await.unwrap().position();
        read_mark(&files.marker).unwrap().unwrap().position == end
    };
    until("the marker of an idle database", written).await;
    world.end().await;
    // As `cp` of an administrator puts it in place.
    for ending in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{ending}", database.display()));
    }
    std::fs::rename(&copy, &database).unwrap();
    let refusal = open(read(&config).unwrap()).await.err().unwrap();
    assert!(
        refusal
            .sentence
            .contains("older than the one that was served"),
        "{refusal:?}"
    );
    assert!(refusal.next.contains("restore --accept"), "{refusal:?}");
}

async fn warnings(world: &World) -> Value {
    world.get("/readyz").await.expect(200).json()["warnings"].clone()
}

#[tokio::test]
async fn a_head_that_the_issuer_signed_and_does_not_have_raises_an_alarm_and_nobody_elses_word_does()
 {
    let world = World::start().await;
    let ada = world.id_token("ada", &json!({}));
    world.exchange(&ada, MODEL, "write").await.expect(200);
    let (master, org) = (&world.issuer.master, &world.issuer.org_name());
    refresh(&world.issuer).await.unwrap();
    let told = poll(&world, &ada, "").await["head"]
        .as_str()
        .unwrap()
        .to_owned();
    let own = verified(master, org, &told).unwrap();
    assert!(own.seq > 0 && own.generation == 0, "{own:?}");
    let further = Position {
        seq: own.seq + 90,
        ..own.clone()
    };
    let another = Position {
        hash: "0".repeat(64),
        ..own
    };
    // What somebody else signed is nobody's word, and what is held is no news.
    let foreign = MasterKey::parse(&MasterKey::fresh().ok().unwrap()).unwrap();
    poll(&world, &ada, &sign(&foreign, org, &further, 0).text).await;
    poll(&world, &ada, &told).await;
    poll(&world, &ada, "e30.e30.e30").await;
    assert_eq!(world.audit("alarm").await.len(), 0);
    assert_eq!(warnings(&world).await, json!([]));
    for known in [&further, &another, &further] {
        poll(&world, &ada, &sign(master, org, known, 0).text).await;
    }
    let alarms = world.audit("alarm").await;
    assert_eq!(alarms.len(), 1, "one for a database, whoever shows what");
    let detail = alarms[0]["detail"].as_str().unwrap();
    assert!(
        detail.contains("okta:ada") && detail.contains("older copy"),
        "{detail}"
    );
    assert_eq!(warnings(&world).await, json!(["history"]));
    // The operator's word: a new generation, and what it lacks is no news any more.
    let files = DatabaseFiles::new(&world.folder.path().join("issuer.db"), None);
    let entry = AuditRecord::new(AuditEvent::DatabaseRestored, org.clone(), 0);
    let restored = sqlite::accept(&files, org, &entry).unwrap();
    assert_eq!(restored.history.generation(), 1);
    until("no warning", async || warnings(&world).await == json!([])).await;
    poll(&world, &ada, &sign(master, org, &further, 0).text).await;
    assert_eq!(world.audit("alarm").await.len(), 1);
    let told = poll(&world, &ada, "").await["head"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(verified(master, org, &told).unwrap().generation, 1);
}
