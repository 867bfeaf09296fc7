//! GitLab: two hosts, two APIs. The registry's host serves `/v2/` and, where the metadata database is on, `/gitlab/v1/`; the web host issues
//! the tokens and serves the REST API. The challenge's realm leads from the one to the other.
//!
//! - `product`: what the registry is to the others here
//! - `web`: where the web host is
//! - `rest`: the REST API: pages, refusals
//! - `projects`, `associations`, `groups`: the ways to find repositories, each for what another kind of token can see
//! - `v1_tags`: the list of tags with digests
//! - `rest_tags`: the list of tags by the web host, where the registry's own lists fail
//! - `introspection`: what the API says of the token
//! - `project`: what the API says of the project that a repository belongs to
//! - `explain`: what GitLab means by its refusals
//! - `web_address`: the web host given in the registry's place
//! - `cleanup`: policies that do not do what their author meant

mod associations;
mod cleanup;
mod explain;
mod groups;
mod introspection;
mod pages;
mod product;
mod project;
mod projects;
mod rest;
mod rest_tags;
mod v1_tags;
mod web;
mod web_address;

pub(super) use product::GitLab;
pub(super) use web_address::web_address;
