//! The people's door: REST under `/api/v1` ([`api`]), notifications of registries under `/api/webhooks`, and whether the process lives and is ready. Plain HTTP or TLS.
//!
//! Nothing here decides anything: a handler extracts, calls one use case of [`crate::app`], renders. Nothing here knows SQL, gRPC or the
//! command line.

pub mod api;
mod envelope;
mod first_bytes;
mod health;
mod router;
mod serve;
mod webhook;

pub use router::router;
pub use serve::{serve, serve_sources};
