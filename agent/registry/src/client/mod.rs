//! One registry, ready to be read: `access` is what a client is made of, `registry_client` the client itself, `request` a request below
//! `/v2/`, `route` which of several registries behind one address it is for, `call` a request to a product's own API.

mod access;
mod call;
mod registry_client;
mod request;
mod route;

pub use access::Access;
pub use registry_client::{Counts, RegistryClient};

pub(crate) use call::{ApiCall, ApiLogin};
pub(crate) use request::Request;
pub(crate) use route::Part;
