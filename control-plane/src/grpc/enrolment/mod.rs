//! The enrolment service: the only one that is open to strangers.

mod challenge;
mod service;

pub(super) use service::{EnrolmentService, bundle};
