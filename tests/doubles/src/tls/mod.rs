//! A private certificate authority, and server certificates of every sound and unsound kind.

mod authority;
mod leaf;

pub use authority::PrivateCa;
pub use leaf::{Alpn, Leaf, LeafFault};
