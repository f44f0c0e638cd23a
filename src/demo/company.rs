//! The issuer of the demo: the shipped `oam-issuer` as a process of its own, between provider and hub.

use super::browser::fetch;
use super::home::Home;
use super::programs::{DEADLINE, Programs, Ran, Running};
use super::reporter::{Failure, Reporter};
use super::seed::{self, HUB, Places};
use super::world::World;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Between two looks at a server that is starting.
const LOOK: Duration = Duration::from_millis(20);
/// The variable that holds the issuer's master key.
pub const MASTER_KEY: &str = "OAM_MASTER_KEY";
/// The client as which the hub asks about tokens.
const INTROSPECTOR: &str = "demo-hub";

/// The running issuer; dropping it kills it.
pub struct Company {
    programs: Programs,
    folder: PathBuf,
    _running: Running,
}

impl Company {
    /// Writes settings and policy, checks the policy, starts the issuer, and registers the hub there.
    ///
    /// # Errors
    /// A step that did not happen.
    pub async fn start(
        reporter: &mut Reporter,
        home: &Home,
        programs: &Programs,
        world: &World,
    ) -> Result<Self, Failure> {
        let folder = home.company();
        let place = folder.display().to_string();
        let places = Places {
            folder: &place,
            issuer: &world.issuer,
            provider: &world.provider,
            hub: &world.hub,
            ci: &world.ci,
        };
        home.write(&folder.join("issuer.toml"), &seed::settings(&places))?;
        home.write(&folder.join("policy.toml"), &seed::policy())?;
        let mut environment = home.company_environment();
        environment.push((MASTER_KEY.to_owned(), master_key()?));
        let programs = programs.with_environment(environment);
        run(&programs, &folder, &["policy", "check"])
            .await?
            .expect(0, "the demo's policy has a fault")?;
        run(&programs, &folder, &["init"])
            .await?
            .expect(0, "the issuer's database could not be begun")?;
        let began = Instant::now();
        let running = programs.start(&folder, "oam-issuer", &with_settings(&["serve"]))?;
        let running = ready(running, world).await?;
        reporter.done(&format!(
            "issuer at {} in {:.2} s, its database and policy in {}",
            world.issuer,
            began.elapsed().as_secs_f64(),
            folder.display()
        ));
        let company = Self {
            programs,
            folder,
            _running: running,
        };
        company.register_hub(world).await?;
        Ok(company)
    }

    /// One of the issuer's own commands.
    ///
    /// # Errors
    /// It can't be started or does not end.
    pub async fn command(&self, args: &[&str]) -> Result<Ran, Failure> {
        run(&self.programs, &self.folder, args).await
    }

    /// How many role tokens the issuer has issued, by its audit.
    ///
    /// # Errors
    /// The audit can't be read.
    pub async fn exchanges(&self) -> Result<usize, Failure> {
        let ran = self
            .command(&["audit", "export", "--format", "jsonl"])
            .await?
            .expect(0, "`oam-issuer audit export` failed")?;
        let text = ran.stdout();
        let issued = text
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            .filter(|entry| entry["event"] == "exchange");
        Ok(issued.count())
    }

    async fn register_hub(&self, world: &World) -> Result<(), Failure> {
        let ran = self
            .command(&["client", "add", INTROSPECTOR, "--hub", HUB])
            .await?
            .expect(0, "`oam-issuer client add` failed")?;
        let text = ran.stdout();
        let secret = text
            .split_whitespace()
            .last()
            .ok_or_else(|| ran.failure("`oam-issuer client add` printed no secret"))?;
        world.introspect_as(INTROSPECTOR, secret);
        Ok(())
    }
}

fn with_settings<'a>(args: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["--config", "issuer.toml"];
    all.extend(args);
    all
}

async fn run(programs: &Programs, folder: &std::path::Path, args: &[&str]) -> Result<Ran, Failure> {
    programs
        .run(folder, "oam-issuer", &with_settings(args))
        .await
}

/// 256 random bits in hex. In the environment of the demo's own processes only: nothing of the demo
/// outlives it.
fn master_key() -> Result<String, Failure> {
    let mut bytes = [0u8; 32];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Failure::new("the system gave no randomness"))?;
    Ok(hex::encode(bytes))
}

/// Waits until the issuer says that it is ready.
async fn ready(running: Running, world: &World) -> Result<Running, Failure> {
    let address = format!("{}/readyz", world.issuer)
        .parse()
        .map_err(|error| Failure::new(format!("not a URL: {error}")))?;
    let began = Instant::now();
    loop {
        if let Ok(page) = fetch(&address, None).await
            && page.status == 200
        {
            return Ok(running);
        }
        if began.elapsed() > DEADLINE {
            let ran = running.end(LOOK).await;
            return Err(ran.map_or_else(
                |failure| failure,
                |ran| ran.failure("`oam-issuer serve` ended"),
            ));
        }
        tokio::time::sleep(LOOK).await;
    }
}
