//! Quay: the repositories of namespaces, and their tags with what they point to. Its API is open to OAuth tokens, and to strangers for what is
//! public; not to robot accounts.
//!
//! Sources: Quay's endpoints under `/api/v1`.
//!
//! - `product`: what there is to know of it
//! - `login`: who may use its API, and as whom
//! - `repositories`, `tags`: its lists

mod login;
mod product;
mod repositories;
mod tags;

pub(super) use product::Quay;
