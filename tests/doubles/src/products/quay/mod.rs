//! Quay: namespaces, an API that only OAuth tokens open, links with its configured name, cursors that mean nothing to anybody else.
//!
//! Sources: Quay's endpoints for `/v2/` and `/api/v1`, and its token service.
//!
//! - `product`: what it remembers, and where a request goes
//! - `distribution`: `/v2/` and the token service
//! - `api`: `/api/v1`

mod api;
mod distribution;
mod product;

pub use product::{Quay, QuayDouble};
