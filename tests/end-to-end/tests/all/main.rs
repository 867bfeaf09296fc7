//! The whole product.

mod cancelling;
mod crashes;
mod enrolment;
mod main_job;
mod proxies;
mod revocation;
mod wires;
