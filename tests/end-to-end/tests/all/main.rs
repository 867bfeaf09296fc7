//! The whole product.

mod cancelling;
mod crashes;
mod doctor;
mod enrolment;
mod gitlab;
mod main_job;
mod proxies;
mod revocation;
mod wires;
