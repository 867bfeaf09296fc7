#![doc = include_str!("../README.md")]

pub mod content;
pub mod daemon;
pub mod faults;
pub mod log;
pub mod network;
pub mod products;
pub mod registry;
pub mod tls;
pub mod token;
pub mod web;

pub use content::Content;
pub use daemon::{DockerRegistry, Skopeo, SmallImage};
pub use faults::Faults;
pub use log::Log;
pub use network::{ConnectProxy, FaultProxy, MiddleBox};
pub use registry::RegistryDouble;
pub use tls::PrivateCa;
pub use token::TokenService;
pub use web::GitLab;
