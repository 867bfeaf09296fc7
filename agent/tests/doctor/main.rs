//! The doctor against registries that have something wrong with them: every code of the catalogue that an examination can meet is provoked
//! here, each at its stage. `catalogue` holds the list of all, `page` the documentation that is made of it.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects by panicking"
)]

mod budget;
mod catalogue;
mod command;
mod connection;
mod content;
mod entries;
mod guides;
mod hostile;
mod login;
mod page;
mod products;
mod registry;
mod scene;
mod scripted;
mod sound;
mod tls;
mod visibility;
