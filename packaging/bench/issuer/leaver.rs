//! From the word that somebody left, the provider's signal or the directory's, to the agent's refusal: on the demo's
//! company with the shipped programs. Each look at the agent is a whole `oam token`, which takes some milliseconds of
//! what is measured.

use super::directory::Client;
use super::table::{Table, ms, quantile};
use oam_demo::browser::visit;
use oam_demo::cgi::GitBackend;
use oam_demo::company::Company;
use oam_demo::home::Home;
use oam_demo::programs::{DEADLINE, OutputLine, Programs};
use oam_demo::reporter::Reporter;
use oam_demo::scenario::clean_up;
use oam_demo::seed::{ADA, HUB, ORG, REPOSITORY};
use oam_demo::world::{World, free_address, now_s};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Rows over `RUNS` leavers of each kind (200 unless set).
pub fn measure(table: &mut Table) {
    let runs = std::env::var("RUNS").map_or(200, |text| text.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (mut signals, mut directory) = runtime.block_on(leavers(runs));
    let most = signals.iter().max().copied().unwrap_or_default();
    table.judged(
        &format!("provider's signal to the agent's refusal, by the feed, {runs} leavers"),
        &told(&mut signals),
        "without the feed: up to `fresh`, 60 s",
        "≤ 2 s",
        most <= Duration::from_secs(2),
    );
    table.judged(
        &format!("deactivation by SCIM to the agent's refusal, by the feed, {runs} leavers"),
        &told(&mut directory),
        "a look is a whole `oam token`, and counted",
        "p99 ≤ 50 ms",
        quantile(&mut directory, 0.99) <= Duration::from_millis(50),
    );
}

fn told(times: &mut [Duration]) -> String {
    let most = times.iter().max().copied().unwrap_or_default();
    format!(
        "p50 {}, p99 {}, most {}",
        ms(quantile(times, 0.5)),
        ms(quantile(times, 0.99)),
        ms(most)
    )
}

/// Who says that somebody left, and that they are back.
enum Teller {
    Signals,
    Directory { token: String, user: String },
}

impl Teller {
    /// The company's directory, which knows Ada from now on. Of her groups it says nothing: the tokens' count.
    async fn directory(world: &World, company: &Company) -> Self {
        let made = company.command(&["scim", "token", "company"]).await;
        let made = made.unwrap().expect(0, "`oam-issuer scim token`").unwrap();
        let token = made.stdout().trim().to_owned();
        let ada = json!({ "userName": ADA.email, "externalId": ADA.subject, "active": true });
        let made = ask(world, &token, "POST", "/Users", ada, 201).await;
        let user = format!("/Users/{}", made["id"].as_str().unwrap());
        Self::Directory { token, user }
    }

    async fn left(&self, world: &World) {
        match self {
            Self::Signals => world.disable_account().await.unwrap(),
            Self::Directory { token, user } => active(world, token, user, "False").await,
        }
    }

    async fn is_back(&self, world: &World) {
        match self {
            Self::Signals => world.enable_account().await.unwrap(),
            Self::Directory { token, user } => active(world, token, user, "True").await,
        }
    }
}

async fn active(world: &World, token: &str, user: &str, value: &str) {
    let patch = json!({ "Operations": [{ "op": "Replace", "path": "active", "value": value }] });
    ask(world, token, "PATCH", user, patch, 200).await;
}

/// Beside the demo's servers, which share this thread.
async fn ask(
    world: &World,
    token: &str,
    method: &'static str,
    path: &str,
    body: Value,
    status: u16,
) -> Value {
    let address = world.issuer.trim_start_matches("http://").to_owned();
    let (token, path) = (token.to_owned(), path.to_owned());
    let asked = move || Client::new(&address, &token).ask(method, &path, &body, status);
    tokio::task::spawn_blocking(asked).await.unwrap()
}

/// How long each took: by the provider's signal, and by the directory.
async fn leavers(runs: usize) -> (Vec<Duration>, Vec<Duration>) {
    let home = Home::make().await.unwrap();
    let program = super::program("oam");
    let folder = program.parent().unwrap();
    let programs = Programs::in_folder(folder.to_path_buf(), home.environment()).unwrap();
    let backend = GitBackend {
        root: home.hub(),
        environment: home.hub_environment(),
        pushes: std::sync::Arc::default(),
    };
    let world = World::start(backend, &free_address().await.unwrap())
        .await
        .unwrap();
    let mut board = Reporter::on_stderr();
    let company = Company::start(&mut board, &home, &programs, &world)
        .await
        .unwrap();
    let signals = leave_often(runs, &home, &programs, &world, &Teller::Signals).await;
    let directory = Teller::directory(&world, &company).await;
    let directory = leave_often(runs, &home, &programs, &world, &directory).await;
    clean_up(&home, &programs).await;
    drop(company);
    (signals, directory)
}

async fn leave_often(
    runs: usize,
    home: &Home,
    programs: &Programs,
    world: &World,
    teller: &Teller,
) -> Vec<Duration> {
    let mut times = Vec::new();
    for run in 0..runs {
        sign_in(home, programs, world).await;
        times.push(leave(home, programs, world, teller).await);
        // Providers tell whole seconds. Of an end and a return in the same one the end counts, and a sign-in must
        // be later than both.
        next_second().await;
        teller.is_back(world).await;
        next_second().await;
        if run % 20 == 19 {
            eprintln!("leaver: {} of {runs}", run + 1);
        }
    }
    times
}

async fn next_second() {
    let this = now_s();
    while now_s() <= this {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Signs in and gets a token, so that there is one to lose.
async fn sign_in(home: &Home, programs: &Programs, world: &World) {
    let work = home.work();
    let args = ["login", &world.issuer, "--no-browser", "--store", "memory"];
    let mut running = programs.start(&work, "oam", &args).unwrap();
    let prefix = format!("{}/authorize?", world.provider);
    let address = |line: &OutputLine| {
        let at = line.text().find(&prefix)?;
        line.text()[at..]
            .split_whitespace()
            .next()
            .map(str::to_owned)
    };
    let found = running
        .until(DEADLINE, "no address", address)
        .await
        .unwrap();
    let page = visit(&found.unwrap()).await.unwrap();
    assert_eq!(page.status, 200, "{ORG}: {}", page.body);
    running
        .end(DEADLINE)
        .await
        .unwrap()
        .expect(0, "sign-in")
        .unwrap();
    token(home, programs).await.expect(0, "a token").unwrap();
}

async fn token(home: &Home, programs: &Programs) -> oam_demo::programs::Ran {
    let args = ["token", "--hub", HUB, "--repo", REPOSITORY];
    programs.run(&home.work(), "oam", &args).await.unwrap()
}

/// The time until the agent refuses.
async fn leave(home: &Home, programs: &Programs, world: &World, teller: &Teller) -> Duration {
    let began = Instant::now();
    teller.left(world).await;
    loop {
        let ran = token(home, programs).await;
        let after = began.elapsed();
        if ran.code == Some(4) {
            return after;
        }
        assert!(after < DEADLINE, "never refused: {ran:?}");
    }
}
