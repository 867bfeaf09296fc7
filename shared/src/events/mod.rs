//! Push events: what registries say by themselves when something changes in them, read, and whether to believe who says it.
//!
//! Both halves receive notifications: an agent inside the network, the control plane from the internet. This is the part that is the same in both,
//! and pure: no clock, no sockets, no HTTP library. [`authenticate`] says whether a request comes from whoever knows the registry's secret;
//! [`read`] says what it says. What it says is a hint and never a fact: nothing is changed before the registry itself was asked.
//! [`Allowances`] and [`Places`] bound what whoever is not believed can cost, so that it keeps nobody out who is.
//!
//! # Whom to believe
//!
//! | sender | signature that it can make | header that it can put the secret in |
//! | --- | --- | --- |
//! | `distribution` | none | `Authorization` |
//! | `gitlab` | `webhook-signature` (webhooks from 19.0) | `Authorization`, `X-Gitlab-Token` |
//! | `harbor` | none | `Authorization` |
//! | `zot` | none | `Authorization` |
//! | `quay`, `docker_hub` | none | none: the path |
//! | `ghcr` | `X-Hub-Signature-256` | none |
//! | `gitea` (`forgejo`) | `X-Gitea-Signature`, `X-Forgejo-Signature`, `X-Hub-Signature-256` | `Authorization` |
//! | `nexus` | `X-Nexus-Webhook-Signature` (HMAC-SHA-1) | none |
//! | `artifactory` | `X-JFrog-Event-Auth`, if told to sign | `X-JFrog-Event-Auth`, else; `Authorization` |
//! | `ecr` | none that is shared | `Authorization`, from an API destination |
//! | `acr` | none | `Authorization` |
//! | `cloud_events` | `webhook-signature` | `Authorization` |
//!
//! - The secret in the path does for every sender. It is the weakest: paths are logged on the way.
//! - In `Authorization` the secret may stand alone, behind `Bearer`, or as the password behind `Basic`.
//! - Any of these signatures that is there must verify, from whomever it comes and whatever else is shown; an empty one is not there, because Gitea sends
//!   such where no secret is set. One that verifies is enough. `webhook-signature` covers its time, which may be
//!   [`limits::WEBHOOK_TOLERANCE_SECONDS`] off. The others cover the body alone: whoever has seen a request can send it again, and where the id of
//!   an event comes from a header (`ghcr`, `gitea`, `nexus`, binary CloudEvents), with another id. So ids save work and protect from nothing; what
//!   protects is that a hint costs one question to the registry, and that a receiver bounds how many it takes.
//! - Webhooks of GitLab's projects and groups are an exception ([`is_gitlab_webhook`]): nothing is read out of them, so that the secret alone is asked for,
//!   before the body comes. From 19.0 GitLab signs them with a key of its own making.
//! - HMAC-SHA-1 is not broken by what broke SHA-1, and Nexus has nothing else. Its documentation says that the JSON is signed without white space;
//!   what it sends has none, so the body is verified as it came.
//! - All comparisons take the same time wherever the two differ. Nothing here shows a secret, a body or a header in an error.
//!
//! Not confirmed by a product's own documentation or code: that `X-Hub-Signature-256` covers the raw body also for `package` events (it does for all
//! others); whether Forgejo still sends Gitea's headers beside its own.
//!
//! # What is read
//!
//! The folder `format/` has one file for each format, with what is known of it, from where, and what is not confirmed. Everywhere:
//!
//! - Tags that were set, tags and manifests that were deleted, repositories that were deleted or renamed are events. Pulls, blobs, scans, and content
//!   without a tag are *ignored*: index children come with the index. What is no name, no tag or no digest is *refused*. Both are counted.
//! - Where a digest stands in the place of a tag, there is no tag.
//! - Members that are not known are passed over; one of the wrong type makes its event malformed and nothing beside it. A member that is there twice
//!   makes the whole body one that is not read.
//! - The same thing said twice in a notification is one event. Events that share the id of their notification are numbered behind it, in the same way
//!   at every delivery; so a receiver that knows an id has seen exactly that event ([`Seen`]).
//!   In a message of Standard Webhooks all events are numbered behind its `webhook-id`, whatever ids they have themselves: it is signed, and the same
//!   whenever the message is sent again.
//! - Bounds: [`limits::NOTIFICATION_BYTES`], [`limits::EVENTS_PER_NOTIFICATION`], [`limits::EVENT_ID_BYTES`]. How deep a body nests does not matter:
//!   what is not asked for is skipped without recursion.
//!
//! [`limits::WEBHOOK_TOLERANCE_SECONDS`]: crate::model::limits::WEBHOOK_TOLERANCE_SECONDS
//! [`limits::NOTIFICATION_BYTES`]: crate::model::limits::NOTIFICATION_BYTES
//! [`limits::EVENTS_PER_NOTIFICATION`]: crate::model::limits::EVENTS_PER_NOTIFICATION
//! [`limits::EVENT_ID_BYTES`]: crate::model::limits::EVENT_ID_BYTES

mod allowances;
mod authenticate;
mod collect;
mod event;
mod format;
mod headers;
mod json;
mod places;
mod read;
mod secret;
mod seen;
mod sender;
mod standard;

pub use allowances::Allowances;
pub use authenticate::{NotAuthentic, Shown, authenticate, is_gitlab_webhook, is_signed, shows_secret};
pub use event::{EventId, EventIdError, Notification, PushAction, PushEvent};
pub use headers::Headers;
pub use places::{Place, Places};
pub use read::{NotificationError, read};
pub use secret::{WebhookSecret, WebhookSecretError};
pub use seen::Seen;
pub use sender::Sender;
pub use standard::sign_standard;

#[cfg(test)]
mod tests;
