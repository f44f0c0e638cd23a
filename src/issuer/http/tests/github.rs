//! The teams of a GitHub organization, from a stand-in of its API to the roles of people, and its events.

use super::world::{POLICY, World, private, until};
use crate::github::stand_in::{APP, Answers, GitHub, ORGANIZATION};
use crate::github::{GitHubFault, sync};
use oam_policy::teams::Scope;
use serde_json::json;
use std::collections::BTreeSet;

pub const SECRET: &str = "it-is-a-secret";
/// Where no token of GitHub goes.
const ELSEWHERE: &str = "<http://127.0.0.1:1/orgs/acme/teams?page=2>; rel=\"next\"";
/// What goes wrong at GitHub.
type Fault = fn(&mut Answers);

const WRITE: &str = "https://hub.acme.example/acme/model";

pub struct Company {
    pub world: World,
    pub github: GitHub,
    _secrets: tempfile::TempDir,
}

impl Company {
    pub async fn start() -> Self {
        Self::with("account_claim = \"github_id\"").await
    }

    pub async fn with(accounts: &str) -> Self {
        let github = GitHub::start().await;
        let url = github.url.clone();
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("app.pem"), &github.pem).unwrap();
        std::fs::write(at("hook"), SECRET).unwrap();
        private(&at("app.pem"));
        private(&at("hook"));
        let lines = format!(
            "[sources.okta.github]\norganization = \"acme\"\norganization_id = {ORGANIZATION}\napp_id = {APP}\n\
             private_key = {{ file = \"{}\" }}\nwebhook_secret = {{ file = \"{}\" }}\napi = \"{url}\"\n{accounts}\n",
            at("app.pem").display(),
            at("hook").display()
        );
        let world =
            World::with(|text| text.replacen("[sources.ci]", &format!("{lines}[sources.ci]"), 1));
        let world = world.await;
        let policy = POLICY.replace("groups = [\"ml\"]", "groups = [\"acme/ml\"]");
        world.policy(&policy).await;
        until("the policy", async || {
            world
                .issuer
                .live_config()
                .policy
                .policy()
                .roles
                .iter()
                .any(|role| format!("{role:?}").contains("acme/ml"))
        })
        .await;
        Self {
            world,
            github,
            _secrets: folder,
        }
    }

    pub async fn read(&self, scope: Scope) -> Result<(), GitHubFault> {
        let live_config = self.world.issuer.live_config();
        let app = live_config.github.values().next().unwrap();
        sync(&self.world.issuer, app, &scope).await
    }

    pub async fn all(&self) {
        self.read(Scope::All).await.unwrap();
    }

    /// What somebody's token is answered at a repository.
    pub async fn writes(&self, who: &str, account: u64) -> u16 {
        let token = self
            .world
            .id_token(who, &json!({ "github_id": account, "groups": [] }));
        self.world.exchange(&token, WRITE, "write").await.status
    }

    pub async fn groups(&self, who: &str) -> Vec<String> {
        let row = self.world.person(who).await.unwrap();
        row.team_groups().to_vec()
    }
}

#[tokio::test]
async fn a_member_of_a_team_has_its_roles_and_loses_them_with_it() {
    let company = Company::start().await;
    company.github.team(7, "ml", &[1, 2]);
    assert_eq!(company.writes("ada", 1).await, 400, "nothing was read yet");
    company.all().await;
    assert_eq!(company.groups("ada").await, ["acme", "acme/ml"]);
    assert_eq!(company.writes("ada", 1).await, 200);
    let client = company.world.register("hub", "models").await;
    let token = company
        .world
        .id_token("ada", &json!({ "github_id": 1, "groups": [] }));
    let token = company
        .world
        .exchange(&token, WRITE, "write")
        .await
        .expect(200)
        .json();
    let token = token["access_token"].as_str().unwrap().to_owned();
    assert_eq!(
        company.world.introspect(&client, &token).await.json()["active"],
        true
    );
    company.github.team(7, "ml", &[2]);
    company.all().await;
    assert_eq!(
        company.world.introspect(&client, &token).await.json()["active"],
        false
    );
    assert_eq!(company.writes("ada", 1).await, 400);
    let changed = company.world.audit("roles-changed").await;
    assert!(
        changed
            .iter()
            .any(|one| one["detail"] == "GitHub took them out of acme/ml; lost: publisher"),
        "{changed:?}"
    );
}

#[tokio::test]
async fn people_are_known_by_number_and_a_login_says_nothing() {
    let company = Company::start().await;
    company.github.team(7, "ml", &[1]);
    company.github.answers().logins.insert(1, "ada".to_owned());
    company.all().await;
    assert_eq!(company.writes("ada", 1).await, 200);
    // Ada gives the login up, and a stranger takes it.
    company
        .github
        .answers()
        .logins
        .insert(1, "ada-2".to_owned());
    company.github.answers().logins.insert(9, "ada".to_owned());
    company.all().await;
    assert_eq!(company.writes("eve", 9).await, 400);
    assert_eq!(company.writes("ada", 1).await, 200);
    // Nobody takes over an account by saying so a second time.
    assert_eq!(company.writes("eve", 1).await, 400);
    assert_eq!(company.writes("ada", 1).await, 200);
    let alarms = company.world.audit("alarm").await;
    assert!(
        alarms.iter().any(|one| one["person"] == "eve"),
        "{alarms:?}"
    );
    // No token says a team.
    let token = company
        .world
        .id_token("mel", &json!({ "groups": ["acme/ml", "ACME/ml"] }));
    assert_eq!(
        company.world.exchange(&token, WRITE, "write").await.status,
        400
    );
}

#[tokio::test]
async fn a_renamed_team_is_the_same_one_and_another_with_its_old_name_is_another() {
    let company = Company::start().await;
    company.github.team(7, "ml", &[1]);
    company.all().await;
    assert_eq!(company.writes("ada", 1).await, 200);
    company.github.team(7, "research", &[1]);
    company.all().await;
    assert_eq!(company.groups("ada").await, ["acme", "acme/research"]);
    assert_eq!(
        company.writes("ada", 1).await,
        400,
        "the policy names the old name"
    );
    company.github.team(8, "ml", &[2]);
    company.all().await;
    assert_eq!(company.writes("ada", 1).await, 400);
    assert_eq!(company.writes("bob", 2).await, 200);
    let said = company.world.audit("directory").await;
    assert!(
        said.iter()
            .any(|one| one["detail"] == "team acme/research (7) was renamed from acme/ml"),
        "{said:?}"
    );
    // Renamed while it is read: its members were another team's by then.
    company.github.answers().then = Some(Box::new(|teams| {
        teams.get_mut(&7).unwrap().slug = "old".to_owned();
        teams.get_mut(&8).unwrap().slug = "research".to_owned();
    }));
    company
        .github
        .answers()
        .teams
        .get_mut(&8)
        .unwrap()
        .members
        .insert(3);
    let moved = company.read(Scope::All).await.unwrap_err();
    assert!(matches!(moved, GitHubFault::Moved(_)), "{moved:?}");
    assert!(!company.groups("ada").await.contains(&"acme/ml".to_owned()));
    company.all().await;
    assert_eq!(company.groups("ada").await, ["acme", "acme/old"]);
    assert_eq!(company.groups("bob").await, ["acme", "acme/research"]);
}

#[tokio::test]
async fn what_is_not_answered_to_its_end_takes_nobody_out_of_a_team() {
    let company = Company::start().await;
    company.github.answers().page = 3;
    let members: Vec<u64> = (1..=10).collect();
    company.github.team(7, "ml", &members);
    company.all().await;
    assert_eq!(company.writes("ada", 1).await, 200);
    let members = async || {
        let store = &company.world.issuer.store;
        store
            .team_members("okta".parse().unwrap(), 7)
            .await
            .unwrap()
    };
    let before: BTreeSet<u64> = (1..=10).collect();
    assert_eq!(members().await, before);
    company.github.team(7, "ml", &[1, 2, 3, 4]);
    // The second page is missing; an answer is none; a page leads elsewhere; the App is suspended, and removed.
    let faults: [(&str, Fault); 5] = [
        ("can't be asked", |a| a.broken = Some("page=2")),
        ("can't be read", |a| {
            a.instead = vec![(200, Vec::new(), "{}".to_owned())];
        }),
        ("can't be read", |a| {
            let link = vec![("link", ELSEWHERE.to_owned())];
            a.instead = vec![(200, link, "[]".to_owned())];
        }),
        ("suspended the App", |a| a.suspended = true),
        ("not installed", |a| a.uninstalled = true),
    ];
    for (said, fault) in faults {
        fault(&mut company.github.answers());
        let mut why = company.read(Scope::All).await.unwrap_err();
        if matches!(why, GitHubFault::NotAllowed(403)) {
            // The token was good a moment ago: now the installation is asked for.
            why = company.read(Scope::All).await.unwrap_err();
        }
        assert!(why.sentence().contains(said), "{said}: {why:?}");
        assert_eq!(members().await, before, "{said}");
        let mut answers = company.github.answers();
        (answers.broken, answers.suspended, answers.uninstalled) = (None, false, false);
    }
    company.all().await;
    assert_eq!(members().await, BTreeSet::from([1, 2, 3, 4]));
    assert_eq!(company.writes("ada", 1).await, 200);
}

#[tokio::test]
async fn another_organization_and_a_token_that_may_more_are_not_taken() {
    let company = Company::start().await;
    company.github.team(7, "ml", &[1]);
    company.github.answers().organization = Some(35);
    assert_eq!(
        company.read(Scope::All).await,
        Err(GitHubFault::OtherOrganization(35))
    );
    company.github.answers().organization = None;
    for permissions in [
        json!({ "members": "write", "metadata": "read" }),
        json!({ "members": "read", "contents": "read" }),
        json!({ "metadata": "read" }),
    ] {
        company.github.answers().permissions = Some(permissions);
        let why = company.read(Scope::All).await.unwrap_err();
        assert!(matches!(why, GitHubFault::OtherPermissions(_)), "{why:?}");
    }
    company.github.answers().permissions = None;
    company.all().await;
}

#[tokio::test]
async fn what_did_not_change_is_not_sent_again_and_limits_are_obeyed() {
    let company = Company::start().await;
    company.github.answers().page = 2;
    company.github.team(7, "ml", &[1, 2, 3, 4, 5]);
    company.all().await;
    assert_eq!(company.github.count("/members?", 304), 0);
    company.all().await;
    assert_eq!(company.github.count("/teams/ml/members?", 304), 3);
    assert_eq!(
        company.github.count("access_tokens", 201),
        1,
        "a token is kept for its hour"
    );
    let asked = || company.github.answers().asked.len();
    let wait = ("retry-after", "30".to_owned());
    company.github.answers().instead = vec![(429, vec![wait], String::new())];
    assert_eq!(
        company.read(Scope::All).await,
        Err(GitHubFault::Limited(30_000))
    );
    let before = asked();
    let Err(GitHubFault::Limited(rest)) = company.read(Scope::All).await else {
        panic!("it asks while GitHub wants to be left alone");
    };
    assert!(rest <= 30_000, "{rest}");
    assert_eq!(asked(), before);
    let other = Company::start().await;
    let limit = "{\"message\":\"You have exceeded a secondary rate limit.\"}".to_owned();
    other.github.answers().instead = vec![(403, Vec::new(), limit)];
    assert_eq!(
        other.read(Scope::All).await,
        Err(GitHubFault::Limited(60_000))
    );
    let last = Company::start().await;
    last.github.answers().remaining = Some(0);
    let Err(GitHubFault::Limited(_)) = last.read(Scope::All).await else {
        panic!("it asks with nothing left");
    };
    assert_eq!(last.github.answers().asked.len(), 1);
}
