//! From a few answers to a product, with the evidence.
//!
//! Never by an address: what is dialled is the operator's to choose, and says nothing. First what the API's root answers a stranger (`signs`),
//! then, where that leaves more than one product or a weak sign only, one more question on the same host (`probe`); `verdict` puts them
//! together.

mod probe;
mod signs;
mod verdict;

pub(super) use verdict::{admitted, recognise};
