//! Speaking to the API.

mod connection;
mod pages;
mod send;
mod stored;

pub(super) use connection::{Connection, base, read_pem};
pub(super) use pages::Listing;
pub(super) use send::Client;
pub(super) use stored::StoredLogin;
