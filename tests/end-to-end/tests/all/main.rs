//! The whole product.

mod cancelling;
mod crashes;
mod doctor;
mod enrolment;
mod further;
mod gitlab;
mod held;
mod identity;
mod main_job;
mod notifications;
mod policy;
mod proxies;
mod restored;
mod revocation;
mod scan;
mod schedules;
mod sealed;
mod sealed_conflict;
mod sealed_rollback;
mod sealing;
mod secrets;
mod several;
mod staleness;
mod wires;
