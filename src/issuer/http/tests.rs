//! Every route over a real connection, with a real database.

mod at_once;
mod aws;
mod bounds;
mod directory;
mod directory_dialects;
mod directory_faults;
mod directory_stand_in;
mod exchange;
mod feed;
mod forward_auth;
mod github;
mod github_events;
mod history;
mod hub_made;
mod hubs;
mod limits;
mod people;
mod running;
mod scim;
mod scim_groups;
mod scim_inputs;
mod scim_recorded;
mod sign_in;
mod sign_out;
mod tls;
mod world;
