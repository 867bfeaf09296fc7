//! Zot: a challenge in lower case, sometimes on an answer that is a success; extensions that can be discovered; a search in GraphQL.
//!
//! Sources: Zot's routes, its challenge, and the schema of its search extension.
//!
//! - `product`: what it remembers, and where a request goes
//! - `search`: the search extension
//! - `graphql`: enough of GraphQL to read a query as a server does

mod graphql;
mod product;
mod search;

pub use product::{Zot, ZotDouble};
