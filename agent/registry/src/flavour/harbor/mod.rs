//! Harbor: projects, their repositories, the artifacts of each.
//!
//! Sources: the description of its API (`/api/v2.0`) and reports of its users. What it costs Harbor to answer decides how it is asked:
//! pages of 100, smaller ones when these take too long, none of the overviews that are computed for each artifact.
//!
//! - `product`: what there is to know of it
//! - `pages`: pages of its API
//! - `mirrors`: which projects are caches of another registry
//! - `projects`: the repositories of projects
//! - `robots`: when a robot account ends
//! - `artifacts`: the tags of a repository

mod artifacts;
mod mirrors;
mod pages;
mod product;
mod projects;
mod robots;

pub(super) use product::Harbor;
