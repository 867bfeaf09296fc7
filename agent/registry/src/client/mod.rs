//! One registry, ready to be read: `access` is what a client is made of, `registry_client` the client itself, `request` a request below
//! `/v2/`, `call` one to a product's own API.

mod access;
mod call;
mod registry_client;
mod request;

pub use access::Access;
pub use registry_client::{Counts, RegistryClient};

pub(crate) use call::{ApiCall, ApiHost, ApiLogin};
pub(crate) use request::Request;
