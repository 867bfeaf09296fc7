//! The whole product.

mod cancelling;
mod crashes;
mod doctor;
mod enrolment;
mod gitlab;
mod identity;
mod main_job;
mod proxies;
mod revocation;
mod scan;
mod secrets;
mod wires;
