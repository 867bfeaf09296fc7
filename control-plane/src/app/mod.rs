//! Every use case once: what sensors and people can do, without the protocol by which they ask. Uses the store and the CA; never gRPC,
//! HTTP or SQL.

mod access;
mod audit;
mod breaker;
mod conflicts;
mod context;
mod credentials;
mod crowds;
mod denials;
mod dispatch;
mod enrolment;
mod error;
mod events;
mod feed;
mod foreign_ids;
mod freshness;
mod images;
mod ingest;
mod mercy;
mod meters;
mod pepper;
mod probes;
mod reaper;
mod registries;
mod retention;
mod runs;
mod schedule;
mod sensors;
mod sessions;
mod staleness;
mod unused_sensors;
mod webhooks;
mod withdraw;

pub use access::{ApiTokenText, Caller, NewToken};
pub(in crate::app) use audit::SensorNote;
pub use audit::{AuditKey, AuditPace, CHECKPOINT_EVERY};
pub use context::{App, CancelNotice, Signals};
pub use credentials::{
    CredentialNotice, CredentialShown, CredentialState, PublishError, RecipientShown, RecipientState,
    SEALING_KEY_LIFE,
};
pub use denials::{Denials, Grant};
pub use dispatch::Dispatcher;
pub use enrolment::{
    AdmittedSensor, EnrolledSensor, EnrolmentAttempt, EnrolmentError, INVITATION_LIFE, Invited, IssuedSensor,
    LateNote, RecoveryAttempt, RecoveryError, RenewalError, Standing,
};
pub use error::AppError;
pub use events::{Believed, EventTally, Found, Knock, NotTaken, Refused, RegistryWebhook, WebhookDoor};
pub use feed::{
    CloudEvent, FeedCursor, FeedCursorError, FeedItem, FeedPage, FeedPlace, FeedReader, FeedReaders,
    FeedScope, FeedStart, ReaderEnd,
};
pub use freshness::{
    Concern, Freshness, FreshnessState, KnownRegistries, Rank, SensorFreshness, SensorProgress, Status,
    Subject, Tally, judge_sensor, registry_figures,
};
pub use images::{ImageShown, ManifestBytes, PlatformShown, RepositoryFound};
pub use ingest::{Batch, BatchError, IngestError, Part, TagSet, TagSetError};
pub use meters::Meters;
pub use pepper::Pepper;
pub use probes::ProbeInput;
pub use reaper::Reaper;
pub use registries::{
    LEFT_OUT_SHOWN, Preview, PreviewedRepository, RegistryInput, RegistryPatch, RepositoryFate,
    SchedulePatch, days_left, outlook,
};
pub use runs::QueuedRun;
pub use schedule::{NEXT_STARTS, PreviewStarts, Promises, next_starts};
pub use sensors::{SENSOR_ONLINE_SECONDS, WantedStanding};
pub use sessions::{LiveSession, Presence, SessionCommand, Sessions};
pub use staleness::Watch;
pub use webhooks::{
    Courier, Failure, FailureWord, Letter, Reply, SigningKeys, Tested, WebhookInput, WebhookTests,
    webhook_figures,
};
