//! The certificate authority: two roots, one for servers and one for sensors, so that no sensor's certificate can ever pass for a server's;
//! an issuing CA below each; and the profiles of everything that is issued. It remembers nothing of what it issued: that is the store's.
//!
//! Keys live in files beside the database, never in it.

mod authority;
mod files;
mod profile;
mod request;
mod tier;

pub use authority::{Authority, AuthorityCertificate, IssuedServer, PlannedCertificate};
pub use files::CaError;
pub use request::{RequestError, RequestedKey};
