//! A plain LDAP server (RFC 4511), in pages (RFC 2696). The library that reads what the server sends ends its process at
//! bytes that are no LDAP, so the reading is in a process of its own: `apart` starts it and takes a whole reading or none,
//! `process` is all that it does, `reader` reads, and `sent` is what passes between the two.

mod apart;
mod entry;
pub mod process;
mod reader;
mod sent;

pub(super) use apart::read;
pub use sent::{LdapFault, LdapPart};

#[cfg(test)]
mod apart_tests;
#[cfg(test)]
mod stand_in;
#[cfg(test)]
mod tests;
