#![doc = include_str!("../README.md")]

pub mod audit;
pub mod cli;
pub mod credentials;
pub mod doctor;
pub mod inventory;
pub mod jobs;
pub mod keyring;
pub mod notify;
pub mod policy;
pub mod settings;
pub mod status;
pub mod trial;
pub mod uplink;
pub mod wiring;
