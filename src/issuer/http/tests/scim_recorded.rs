//! What directories send, as files in `tests/scim`: each a company in its dialect, and all of them the same company.

use super::scim::Scim;
use oam_model::principal::PrincipalKey;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Requests in order. `as` keeps the id that an answer gives, `{NAME}` stands for it, `holds` is a part of the answer.
async fn played(scim: &Scim, file: &str, recorded: &Value) {
    let mut ids: BTreeMap<String, String> = BTreeMap::new();
    for (number, step) in recorded["steps"].as_array().unwrap().iter().enumerate() {
        let with_ids = |text: &str| {
            let put = |text: String, (name, id): (&String, &String)| {
                text.replace(&format!("{{{name}}}"), id)
            };
            ids.iter().fold(text.to_owned(), put)
        };
        let (method, path) = (
            step["ask"].as_str().unwrap(),
            with_ids(step["path"].as_str().unwrap()),
        );
        let body: Value = serde_json::from_str(&with_ids(&step["body"].to_string())).unwrap();
        let answer = scim.ask(method, &path, &body).await;
        let place = format!("{file}, step {number}: {method} {path}");
        assert!(
            (200..300).contains(&answer.status),
            "{place}: {} {}",
            answer.status,
            answer.text
        );
        for (name, value) in step["holds"].as_object().into_iter().flatten() {
            assert_eq!(&answer.json()[name], value, "{place}: {}", answer.text);
        }
        if let Some(name) = step["as"].as_str() {
            let id = answer.json()["id"].as_str().unwrap().to_owned();
            ids.insert(name.to_owned(), id);
        }
    }
}

/// Everybody that the directory reads back, with what counts of it: whether they may come, and in which groups they are.
async fn company(scim: &Scim) -> Vec<String> {
    let users = scim.get("/Users?count=100").await.expect(200).json();
    let mut lines = Vec::new();
    for user in users["Resources"].as_array().unwrap() {
        let key = PrincipalKey {
            source: "okta".parse().unwrap(),
            key: user["externalId"].as_str().unwrap().to_owned(),
        };
        let row = scim.world.issuer.store.person(key).await.unwrap().unwrap();
        let is_out = row.account.ended().is_some();
        assert_eq!(user["active"], !is_out, "{user}");
        lines.push(format!(
            "{} {} {}: {}",
            user["userName"].as_str().unwrap(),
            user["emails"][0]["value"].as_str().unwrap(),
            if is_out { "out" } else { "in" },
            row.directory_groups().unwrap().join(" ")
        ));
    }
    lines.sort();
    lines
}

#[tokio::test]
async fn every_dialect_comes_to_the_same_company() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/scim"));
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path());
    let files: BTreeSet<_> = files.collect();
    assert_eq!(files.len(), 4, "{files:?}");
    for path in files {
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        let recorded = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let scim = Scim::start().await;
        played(&scim, &file, &recorded).await;
        let wanted = [
            "ada@acme.example ada@acme.example in: ml ops",
            "bob@acme.example bob@acme.example out: ops",
            "cyd@acme.example cyd@acme.example in: ml",
        ];
        assert_eq!(company(&scim).await, wanted, "{file}");
    }
}
