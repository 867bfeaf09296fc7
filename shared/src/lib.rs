#![doc = include_str!("../README.md")]

pub mod audit;
pub mod events;
pub mod model;
pub mod process;
pub mod secret;
pub mod tls;
