//! Docker Hub: no catalog for anybody, and a web API on another host that lists what is in a namespace, with tags and their digests.
//!
//! The web API has a login of its own, a token that is given for user name and secret and lasts ten minutes (Docker Hub API reference). Reading
//! a manifest counts against the account's pulls, asking for its digest does not.
//!
//! - `product`: what there is to know of it
//! - `web_api`: the web API, its login, and its lists
//! - `repositories`: what is in namespaces
//! - `tags`: the tags of a repository

mod product;
mod repositories;
mod tags;
mod web_api;

#[cfg(test)]
mod tests;

pub(super) use product::Hub;
