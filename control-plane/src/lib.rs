#![doc = include_str!("../README.md")]

pub mod app;
pub mod ca;
pub mod cli;
mod fair;
pub mod grpc;
pub mod outgoing;
pub mod settings;
pub mod upkeep;
pub mod web;
pub mod wiring;
