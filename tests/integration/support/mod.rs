//! What the tests stand on.

pub mod agents;
pub mod builder;
pub mod company;
pub mod company_files;
pub mod connections;
pub mod desktop;
pub mod disk;
pub mod feed;
pub mod git_host;
pub mod http;
pub mod ldap_liar;
pub mod ldap_server;
pub mod nginx;
pub mod parts;
pub mod port;
pub mod screen;
pub mod traces;
pub mod wait;
pub mod web_server;
pub mod world;

pub use builder::Builder;
pub use company::Company;
pub use company_files::Plan;
pub use world::{Run, World};
