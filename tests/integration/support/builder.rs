//! How a test's machine differs from the usual one.

use super::desktop::Desktop;
use super::parts::Part;
use super::world::{World, set_mode};
use serde_json::{Value, json};

/// What a test wants different from the usual.
pub struct Builder {
    idp: Value,
    hub: Value,
    desktop: DesktopServices,
    config: Box<dyn Fn(&str) -> String>,
    unconfigured: bool,
}

/// What answers on the test's D-Bus.
struct DesktopServices {
    keyring: bool,
    notifications: bool,
    screen: bool,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            idp: json!({}),
            hub: json!({}),
            desktop: DesktopServices {
                keyring: true,
                notifications: false,
                screen: false,
            },
            config: Box::new(str::to_owned),
            unconfigured: false,
        }
    }
}

impl Builder {
    /// Options of the provider.
    pub fn idp(mut self, options: Value) -> Self {
        self.idp = options;
        self
    }

    /// Options of the hub. `introspection: true` means the provider's.
    pub fn hub(mut self, options: Value) -> Self {
        self.hub = options;
        self
    }

    /// No D-Bus, no keyring.
    pub fn without_desktop(mut self) -> Self {
        self.desktop.keyring = false;
        self
    }

    /// dunst under Xvfb.
    pub fn with_notifications(mut self) -> Self {
        self.desktop.notifications = true;
        self
    }

    /// logind and a screen saver, whose hints the test sets.
    pub fn with_screen(mut self) -> Self {
        self.desktop.screen = true;
        self
    }

    /// Edits the configuration before it is written.
    pub fn config(mut self, edit: impl Fn(&str) -> String + 'static) -> Self {
        self.config = Box::new(edit);
        self
    }

    /// No configuration: a sign-in by an issuer's URL writes it.
    pub fn unconfigured(mut self) -> Self {
        self.unconfigured = true;
        self
    }

    /// Starts everything but the agent, which its first client starts.
    pub fn start(self) -> World {
        let folder = tempfile::Builder::new().prefix("oam-t").tempdir().unwrap();
        let (home, runtime) = (folder.path().join("home"), folder.path().join("run"));
        for dir in [&home, &runtime] {
            std::fs::create_dir(dir).unwrap();
            set_mode(dir, 0o700);
        }
        let idp = Part::start("idp.mjs", &self.idp);
        let mut hub_options = self.hub;
        if hub_options["issuer"].is_null() {
            hub_options["issuer"] = json!(idp.get("issuer"));
        }
        if hub_options["introspection"] == true {
            hub_options["introspection"] = json!({
                "url": idp.get("token_introspection"),
                "client_id": "hub",
                "client_secret": "hub-secret",
            });
        }
        if hub_options["repositories"].is_null() {
            hub_options["repositories"] = json!(["acme/model", "datasets/acme/corpus"]);
        }
        let hub = Part::start("hub.mjs", &hub_options);
        let services = self.desktop;
        let desktop = services.keyring.then(|| {
            let mut desktop = Desktop::bus(&home, &runtime);
            desktop.start_keyring();
            if services.notifications {
                desktop.start_notifications();
            }
            if services.screen {
                desktop.start_screen_services();
            }
            desktop
        });
        let world = World {
            home,
            runtime,
            idp,
            hub,
            desktop,
            _folder: folder,
        };
        if !self.unconfigured {
            world.write_config(&(self.config)(&world.usual_config()));
        }
        world
    }
}

impl World {
    /// The configuration that most tests use: everything is proven at every ask.
    pub fn usual_config(&self) -> String {
        format!(
            r#"[orgs.acme]
issuer = "{issuer}"
client_id = "oam"
scopes = ["openid", "offline_access", "email", "groups"]
fresh = "0s"
lease = "10m"

[orgs.acme.exchange]
kind = "rfc8693"
token_endpoint = "{token}"
client_id = "oam"
audience = "{{hub}}"
resource = "{{repository}}"
scope = "role:{{role}} {{action}}"
revocation_endpoint = "{revoke}"

[orgs.acme.hubs.hub]
url = "{hub}"
kind = "huggingface"

[orgs.acme.roles.model-reader]
grants = [{{ hub = "hub", repositories = ["acme/*", "datasets/acme/*"], action = "read" }}]

[orgs.acme.roles.model-publisher]
groups = ["ml-research"]
grants = [{{ hub = "hub", repositories = ["acme/*", "datasets/acme/*"], action = "write" }}]
"#,
            issuer = self.idp.get("issuer"),
            token = self.idp.get("token_endpoint"),
            revoke = self.idp.get("exchange_revoke"),
            hub = self.hub.get("url"),
        )
    }
}
