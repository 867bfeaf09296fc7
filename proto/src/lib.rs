#![doc = include_str!("../README.md")]

pub mod convert;
mod signing;

pub use signing::{enrolment_message, recovery_message, who_am_i_message};

/// The generated messages, clients and servers of `portolan.sensor.v1`.
#[allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::clone_on_ref_ptr,
    clippy::doc_markdown,
    clippy::uninlined_format_args,
    reason = "generated; the schema holds the documentation, and which of these lints fire depends on the generator"
)]
pub mod v1 {
    tonic::include_proto!("portolan.sensor.v1");
}

/// The protocol version that this build speaks.
pub const PROTOCOL: u32 = 1;
