//! GitLab's requests and answers, pair by pair: `r` on the registry host, `g` its own API there, `w` on the web host. The numbers are
//! those that the pairs are known by among us.

mod native;
mod projects;
mod registry;
mod repositories;
mod scene;
mod tokens;
mod web;
