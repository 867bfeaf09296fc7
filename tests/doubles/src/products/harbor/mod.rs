//! Harbor: tokens or Basic on `/v2/`, robots, projects and artifacts, policies that block images, pull times that a GET moves.
//!
//! Sources: Harbor's API description (`/api/v2.0`), its `/v2/` authorization, and reports of its users.
//!
//! - `accounts`: who may come in, and what each sees
//! - `product`: what it remembers, and where a request goes
//! - `distribution`: `/v2/` and the token service
//! - `api`: `/api/v2.0`

mod accounts;
mod api;
mod distribution;
mod product;

pub use product::{Harbor, HarborDouble};
