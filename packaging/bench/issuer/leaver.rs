//! From the provider's signal that somebody left to the agent's refusal, on the demo's company with the
//! shipped programs.

use super::table::{Table, ms, quantile};
use oam_demo::browser::visit;
use oam_demo::cgi::GitBackend;
use oam_demo::company::Company;
use oam_demo::home::Home;
use oam_demo::programs::{DEADLINE, OutputLine, Programs};
use oam_demo::reporter::Reporter;
use oam_demo::scenario::clean_up;
use oam_demo::seed::{HUB, ORG, REPOSITORY};
use oam_demo::world::{World, free_address, now_s};
use std::time::{Duration, Instant};

/// Rows over `RUNS` leavers (200 unless set).
pub fn measure(table: &mut Table) {
    let runs = std::env::var("RUNS").map_or(200, |text| text.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut times = runtime.block_on(leavers(runs));
    let most = times.iter().max().copied().unwrap_or_default();
    let measured = format!(
        "p50 {}, p99 {}, most {}",
        ms(quantile(&mut times, 0.5)),
        ms(quantile(&mut times, 0.99)),
        ms(most)
    );
    table.judged(
        &format!("provider's signal to the agent's refusal, by the feed, {runs} leavers"),
        &measured,
        "without the feed: up to `fresh`, 60 s",
        "≤ 2 s",
        most <= Duration::from_secs(2),
    );
}

async fn leavers(runs: usize) -> Vec<Duration> {
    let home = Home::make().await.unwrap();
    let program = super::program("oam");
    let folder = program.parent().unwrap();
    let programs = Programs::in_folder(folder.to_path_buf(), home.environment()).unwrap();
    let backend = GitBackend {
        root: home.hub(),
        environment: home.hub_environment(),
    };
    let world = World::start(backend, &free_address().await.unwrap())
        .await
        .unwrap();
    let mut board = Reporter::on_stderr();
    let company = Company::start(&mut board, &home, &programs, &world)
        .await
        .unwrap();
    let mut times = Vec::new();
    for run in 0..runs {
        sign_in(&home, &programs, &world).await;
        times.push(leave(&home, &programs, &world).await);
        // Providers tell whole seconds. Of an end and a return in the same one the end counts, and a sign-in must
        // be later than both.
        next_second().await;
        world.enable_account().await.unwrap();
        next_second().await;
        if run % 20 == 19 {
            eprintln!("leaver: {} of {runs}", run + 1);
        }
    }
    clean_up(&home, &programs).await;
    drop(company);
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
async fn leave(home: &Home, programs: &Programs, world: &World) -> Duration {
    let began = Instant::now();
    world.disable_account().await.unwrap();
    loop {
        let ran = token(home, programs).await;
        let after = began.elapsed();
        if ran.code == Some(4) {
            return after;
        }
        assert!(after < DEADLINE, "never refused: {ran:?}");
    }
}
