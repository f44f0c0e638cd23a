//! Roles at AWS as identities, by tokens of a stand-in of STS's issuer with the claims that are documented: jobs by the
//! role's ARN, people by the source identity of their session.

use super::world::{POLICY, World};
use oam_standin::signer::Signer;
use oam_system::clock;
use serde_json::{Value, json};

const STS: &str = "https://1f2e3d4c-aaaa-bbbb-cccc-000011112222.tokens.sts.global.api.aws";
const OTHER: &str = "https://99999999-aaaa-bbbb-cccc-000011112222.tokens.sts.global.api.aws";
const WRITE: &str = "https://hub.acme.example/acme/model";
const SOURCES: &str = r#"
[sources.aws]
preset = "aws"
issuer = "STS"
jwks_file = "DIR/aws.json"
[sources.aws-people]
issuer = "STS"
audiences = ["https://oam.acme.example/people"]
algorithms = ["ES384", "RS256"]
key_claim = "https://sts.amazonaws.com/.source_identity"
username_claim = "https://sts.amazonaws.com/.source_identity"
jwks_file = "DIR/aws.json"
required = { "https://sts.amazonaws.com/.aws_account" = "123456789012" }
[sources.ci]"#;
const ROLES: &str = r#"
[roles.role-at-aws]
members = [{ source = "aws", claims = { sub = "arn:aws:iam::123456789012:role/Trainer" } }]
grants = [{ hub = "models", repositories = ["acme/*"], action = "write" }]
[roles.person-at-aws]
members = [{ source = "aws-people", claims = { "https://sts.amazonaws.com/.source_identity" = "ada@acme.example" } }]
grants = [{ hub = "models", repositories = ["acme/*"], action = "write" }]
"#;

struct Account {
    world: World,
    keys: [Signer; 2],
}

impl Account {
    async fn start() -> Self {
        let keys = [Signer::ec384("sts-ec"), Signer::rsa("sts-rsa")];
        let jwks = json!({ "keys": [keys[0].jwk, keys[1].jwk] }).to_string();
        let world = World::with(|text| {
            let folder = text
                .split('"')
                .find_map(|one| one.strip_suffix("/issuer.db"))
                .unwrap();
            std::fs::write(format!("{folder}/aws.json"), &jwks).unwrap();
            std::fs::write(format!("{folder}/policy.toml"), format!("{POLICY}{ROLES}")).unwrap();
            let sources = SOURCES.replace("DIR", folder).replace("STS", STS);
            text.replacen("\n[sources.ci]", &sources, 1)
        });
        Self {
            world: world.await,
            keys,
        }
    }

    /// A token as STS makes it, `more` of its namespace merged in.
    fn token(&self, key: usize, issuer: &str, audience: &str, role: &str, more: &Value) -> String {
        let now = clock::now_s();
        let mut session = json!({
            "aws_account": "123456789012",
            "source_region": "eu-central-1",
            "org_id": "o-abc1234567",
            "ou_path": "o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/",
            "principal_tags": { "team": "data-engineering" },
            "principal_id": role,
        });
        for (name, value) in more.as_object().unwrap() {
            session[name] = value.clone();
        }
        let claims = json!({
            "iss": issuer, "aud": audience, "sub": role, "iat": now - 5, "exp": now + 295,
            "jti": format!("{now}-x"), "https://sts.amazonaws.com/": session,
        });
        self.keys[key].sign(Some("JWT"), &claims)
    }

    async fn asked(&self, token: &str) -> u16 {
        self.world.exchange(token, WRITE, "write").await.status
    }
}

const TRAINER: &str = "arn:aws:iam::123456789012:role/Trainer";
const JOBS: &str = "https://oam.acme.example";
const PEOPLE: &str = "https://oam.acme.example/people";

#[tokio::test]
async fn a_job_at_aws_is_its_role_by_either_algorithm_and_its_own_words_grant_nothing() {
    let account = Account::start().await;
    let none = json!({});
    for key in [0, 1] {
        let token = account.token(key, STS, JOBS, TRAINER, &none);
        assert_eq!(account.asked(&token).await, 200, "{key}");
    }
    let entry = account.world.audit("exchange").await;
    assert_eq!(
        (&entry[0]["source"], &entry[0]["person"]),
        (&"aws".into(), &TRAINER.into())
    );
    let other = "arn:aws:iam::123456789012:role/Other";
    let words = json!({ "request_tags": { "sub": TRAINER, "role": TRAINER, "source_identity": "ada@acme.example" } });
    for (token, what) in [
        (account.token(0, STS, JOBS, other, &none), "another role"),
        (
            account.token(0, STS, JOBS, other, &words),
            "words of the caller",
        ),
        (
            account.token(0, OTHER, JOBS, TRAINER, &none),
            "another account",
        ),
        (
            account.token(0, STS, "https://other.example", TRAINER, &none),
            "another audience",
        ),
    ] {
        assert_eq!(account.asked(&token).await, 400, "{what}");
    }
}

#[tokio::test]
async fn a_person_at_aws_is_told_by_the_source_identity_of_the_session() {
    let account = Account::start().await;
    let sso = "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Dev_0123456789abcdef";
    let as_who = |who: &str| json!({ "source_identity": who });
    let ada = account.token(0, STS, PEOPLE, sso, &as_who("ada@acme.example"));
    assert_eq!(account.asked(&ada).await, 200);
    let entry = account.world.audit("exchange").await;
    assert_eq!(
        (&entry[0]["source"], &entry[0]["person"]),
        (&"aws-people".into(), &"ada@acme.example".into())
    );
    // Who is ended is out, and nobody else with the same role.
    let words = json!({ "request_tags": { "source_identity": "ada@acme.example" } });
    for (token, what) in [
        (
            account.token(0, STS, PEOPLE, sso, &as_who("bob@acme.example")),
            "another person",
        ),
        (
            account.token(0, STS, PEOPLE, sso, &words),
            "words of the caller",
        ),
        (
            account.token(
                0,
                STS,
                PEOPLE,
                sso,
                &json!({ "source_identity": "ada@acme.example", "aws_account": "2" }),
            ),
            "another account",
        ),
        (
            account.token(0, STS, JOBS, sso, &as_who("ada@acme.example")),
            "the audience of jobs",
        ),
    ] {
        assert_eq!(account.asked(&token).await, 400, "{what}");
    }
}
