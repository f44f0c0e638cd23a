//! `OpenID` Connect and JOSE as agent and issuer read them: one reader for both.

pub mod jose;
pub mod jwks;
pub mod metadata;
pub mod ttl_cache;
