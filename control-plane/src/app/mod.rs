//! Every use case once: what sensors and people can do, without the protocol by which they ask. Uses the store and the CA; never gRPC,
//! HTTP or SQL.

mod access;
mod audit;
mod context;
mod denials;
mod dispatch;
mod enrolment;
mod error;
mod foreign_ids;
mod images;
mod ingest;
mod meters;
mod pepper;
mod probes;
mod registries;
mod runs;
mod sensors;
mod sessions;
mod unused_sensors;
mod withdraw;

pub use access::{ApiTokenText, Caller, NewToken};
pub use context::{App, CancelNotice, Signals};
pub use denials::Denials;
pub use dispatch::Dispatcher;
pub use enrolment::{
    EnrolmentAttempt, EnrolmentError, INVITATION_LIFE, Invited, IssuedSensor, LateNote, RenewalError,
    Standing,
};
pub use error::AppError;
pub use images::{ImageShown, ManifestBytes, PlatformShown, RepositoryFound};
pub use ingest::{Batch, BatchError, IngestError, Part, TagSet, TagSetError};
pub use meters::Meters;
pub use pepper::Pepper;
pub use probes::ProbeInput;
pub use registries::{
    LEFT_OUT_SHOWN, Preview, PreviewedRepository, RegistryInput, RegistryPatch, RepositoryFate, days_left,
    outlook,
};
pub use runs::QueuedRun;
pub use sensors::SENSOR_ONLINE_SECONDS;
pub use sessions::{LiveSession, SessionCommand, Sessions};
