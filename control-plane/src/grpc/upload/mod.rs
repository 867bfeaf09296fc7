//! The upload service: what sensors send up, on connections of their own. Every answer means durable.

mod read;
mod rooms;
mod service;
mod streams;

pub(super) use rooms::Rooms;
pub(super) use service::UploadService;
