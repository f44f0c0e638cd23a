//! A gateway at work beside a child.

use super::super::set;
use crate::system;
use oam_gateway::count::Counts;
use oam_gateway::forward::Gateway;
use oam_gateway::held::Held;
use oam_gateway::hub::Upstream;
use oam_gateway::serve::GatewayServer;
use oam_gateway::source::Target;
use oam_helper::env::{self, Inherited};
use oam_http::Via;
use oam_model::refusal::Refusal;
use oam_model::served::ServedTraffic;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use tokio::runtime::Handle;
use tokio::sync::watch::{self, Sender};

/// Tells the gateway that the identity ended.
pub(super) type EndSender = Sender<Option<Arc<Refusal>>>;

/// A gateway that listens until this program ends.
pub(super) struct Door {
    /// Where it listens.
    pub(super) own: SocketAddr,
    gateway: Arc<Gateway>,
    end: EndSender,
    runtime: Handle,
}

impl Door {
    /// Opens one before this hub, for no more than `limit`. What passes is counted in `counts`.
    pub(super) fn open(
        hub_url: &str,
        via: &Via,
        (source, counts): (Held, Arc<Counts>),
        limit: Option<Target>,
    ) -> Result<Self, Refusal> {
        let hub = Upstream::new(hub_url, via)?;
        let fault = |error: io::Error| {
            Refusal::unavailable(
                format!("the gateway can't be started: {}", error.kind()),
                "try again, or use --token-file",
            )
        };
        let (listener, own) = listen().map_err(fault)?;
        let (end, ended) = watch::channel(None);
        let gateway = Gateway::new(hub, own, Arc::new(source), ended);
        let gateway = Arc::new(gateway.limited_to(limit).counting_in(counts));
        let runtime = start(listener, Arc::clone(&gateway)).map_err(fault)?;
        system::keep_descendants();
        Ok(Self {
            own,
            gateway,
            end,
            runtime,
        })
    }

    /// Has this done beside, until this program ends.
    pub(super) fn beside(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(work);
    }

    /// By which open transfers are cut and later requests refused.
    pub(super) fn end(&self) -> EndSender {
        self.end.clone()
    }

    /// What passed by now.
    pub(super) fn served(&self) -> ServedTraffic {
        self.gateway.counts().served()
    }

    /// Sets the child's variables.
    pub(super) fn equip(&self, command: &mut Command, hub_kind: &str, hub_url: &str) {
        let variable = |name: &str| std::env::var(name).ok();
        let (git_count, no_proxy) = (
            variable("GIT_CONFIG_COUNT"),
            variable("NO_PROXY").or_else(|| variable("no_proxy")),
        );
        let there = Inherited {
            git_count: git_count.as_deref(),
            no_proxy: no_proxy.as_deref(),
        };
        for change in env::gateway_changes(hub_kind, hub_url, &self.gateway.address(), there) {
            set(command, change, Some(self.gateway.capability().secret()));
        }
    }
}

fn listen() -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let own = listener.local_addr()?;
    Ok((listener, own))
}

/// Serves on a thread of its own.
fn start(listener: TcpListener, gateway: Arc<Gateway>) -> io::Result<Handle> {
    let server = GatewayServer::new(listener, gateway)?;
    let handle = server.handle();
    thread::Builder::new().spawn(move || server.run())?;
    Ok(handle)
}
