//! All ports, as one.

use super::{
    AuditFile, ChildTokenFiles, Clock, Configuration, IdentityProvider, IssuerApi, Notices,
    Published, Rng, Screen, TokenEndpoint, Vault,
};
use std::rc::Rc;

/// Everything outside.
#[derive(Clone)]
pub struct Ports {
    /// Both clocks.
    pub clock: Rc<dyn Clock>,
    /// Names and jitter.
    pub rng: Rc<dyn Rng>,
    /// The identity provider.
    pub idp: Rc<dyn IdentityProvider>,
    /// The token endpoint.
    pub exchange: Rc<dyn TokenEndpoint>,
    /// The organization's own issuer, where it has one.
    pub issuer: Rc<dyn IssuerApi>,
    /// Sealed state and tombstones.
    pub vault: Rc<dyn Vault>,
    /// The audit log's file.
    pub journal: Rc<dyn AuditFile>,
    /// The desktop.
    pub notices: Rc<dyn Notices>,
    /// Who is at the screen.
    pub screen: Rc<dyn Screen>,
    /// Token files.
    pub files: Rc<dyn ChildTokenFiles>,
    /// What organizations publish about themselves.
    pub published: Rc<dyn Published>,
    /// The configuration's files.
    pub configuration: Rc<dyn Configuration>,
}
