#![doc = include_str!("../README.md")]

pub mod brought_registry;
pub mod installation;
mod push;
pub mod screen;
pub mod story;
mod summary;
