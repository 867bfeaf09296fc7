//! Tests of reading and of believing. The payloads are written for these tests, with the members that the products' documentation has.

mod authentic;
mod bounds;
mod clouds;
mod forges;
mod gitlab;
mod harbor;
mod hubs;
mod secret;
mod stores;
mod survives;
mod told;
mod vectors;
