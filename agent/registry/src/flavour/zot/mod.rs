//! Zot: its search extension, where that is built in and switched on.
//!
//! Sources: the schema of the extension and how Zot fills the database behind it.
//!
//! - `product`: what there is to know of it
//! - `query`: what the extension is asked, and its answers
//! - `repositories`, `tags`: its lists

mod product;
mod query;
mod repositories;
mod tags;

pub(super) use product::Zot;
