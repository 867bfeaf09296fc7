//! The upload service: what sensors send up, on connections of their own. Every answer means durable.

mod read;
mod service;
mod streams;

pub(super) use service::UploadService;
