//! The catalogue of findings: what each code means, in one place. The documentation's page is generated from it.
//!
//! One file a subject, in the order in which a request meets them.

mod connection;
mod content;
mod entry;
mod login;
mod registry;
mod schedule;
mod sensor;
mod tls;
mod visibility;
mod webhook;

pub use entry::{CatalogueSubject, Entry};

pub(super) use entry::entry;
