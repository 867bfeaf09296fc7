//! Push events, from a registry that notifies of them to the inventory and back out. `said` is what there is to say and what came of it, `receiver` an
//! endpoint of somebody else; the others are one thing that can happen each.

mod feed;
mod flood;
mod forged;
mod order;
mod outage;
mod pushes;
pub(crate) mod receiver;
mod said;
