//! The sealing service: the keys that credentials are sealed to for a sensor, and the renewal of what is sealed to older ones.

mod service;

pub(super) use service::SealingService;
