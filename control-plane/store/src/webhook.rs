//! Outgoing webhooks: who is told of changes, how far, and what came of it.

use async_trait::async_trait;
use jiff::Timestamp;
use portolan_shared::model::{RegistryId, RegistryName, TenantId, WebhookId, WebhookName, WebhookUrl};

use crate::{AuditEntry, EntryFor, FeedPosition, Page, PageRequest, StoreError};

/// Whether messages go to a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookState {
    /// They do.
    Active,
    /// Somebody holds them back.
    Paused,
    /// They do not any more, until somebody resumes it.
    Disabled(WhyDisabled),
}

impl WebhookState {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Disabled(_) => "disabled",
        }
    }

    /// Why it is disabled, if it is.
    #[must_use]
    pub fn why(self) -> Option<WhyDisabled> {
        match self {
            Self::Disabled(why) => Some(why),
            Self::Active | Self::Paused => None,
        }
    }
}

/// Why nothing is delivered to a webhook any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyDisabled {
    /// Its endpoint answered that it is gone (410).
    Gone,
    /// A message could not be delivered for as long as is tried.
    Undeliverable,
    /// What it has not been told of yet is not kept any more.
    Forgotten,
}

impl WhyDisabled {
    const ALL: [Self; 3] = [Self::Gone, Self::Undeliverable, Self::Forgotten];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Undeliverable => "undeliverable",
            Self::Forgotten => "forgotten",
        }
    }

    /// From the word for it.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|why| why.as_str() == word)
    }
}

/// A webhook to be added.
#[derive(Debug, Clone)]
pub struct NewWebhook {
    /// Its id.
    pub id: WebhookId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Its name.
    pub name: WebhookName,
    /// Where messages go.
    pub url: WebhookUrl,
    /// Of which registry it is told; none: of all.
    pub registry: Option<RegistryId>,
    /// Where in the feed it begins.
    pub position: FeedPosition,
    /// Who adds it.
    pub created_by: String,
    /// When.
    pub now: Timestamp,
}

/// Something that could not be delivered so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tries {
    /// How often it was tried.
    pub attempts: u32,
    /// When first.
    pub since: Timestamp,
}

/// A stored webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookRecord {
    /// Its id.
    pub id: WebhookId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Its name.
    pub name: WebhookName,
    /// Where messages go.
    pub url: WebhookUrl,
    /// Of which registry it is told; none: of all.
    pub registry: Option<RegistryId>,
    /// That registry's name, unless it was removed.
    pub registry_name: Option<RegistryName>,
    /// Whether messages go to it.
    pub state: WebhookState,
    /// How often its secret was made.
    pub secret_no: u32,
    /// When last.
    pub secret_since: Timestamp,
    /// Where in the feed it is.
    pub position: FeedPosition,
    /// Entries of the tenant's feed that it has not been through.
    pub behind: u64,
    /// The present message, if it could not be delivered so far.
    pub tries: Option<Tries>,
    /// When that is tried again, if it is.
    pub next_try_at: Timestamp,
    /// When a message last arrived.
    pub last_success_at: Option<Timestamp>,
    /// Who added it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// When somebody last changed it.
    pub changed_at: Timestamp,
}

/// What somebody changes in a webhook. What is none stays.
#[derive(Debug, Clone, Default)]
pub struct WebhookChange {
    /// Its name.
    pub name: Option<WebhookName>,
    /// Where messages go; the present one too, which is tried at once.
    pub url: Option<WebhookUrl>,
    /// Of which registry it is told, from the next message on.
    pub registry: Option<Option<RegistryId>>,
    /// Held back, or let go. Let go, it is tried at once and for as long as a new message is.
    pub paused: Option<bool>,
    /// From here on, whatever it has not been told of in front; the present message is dropped.
    pub position: Option<FeedPosition>,
    /// The secret is replaced.
    pub rotate: bool,
}

/// A message: some changes, as they are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookMessage {
    /// Its id: the same for each attempt, and for no other message to anybody.
    pub id: String,
    /// What it says.
    pub body: Vec<u8>,
    /// How many changes.
    pub changes: u32,
    /// Where in the feed it ends.
    pub ends: FeedPosition,
}

/// A webhook to which there may be something to deliver.
#[derive(Debug, Clone)]
pub struct DueWebhook {
    /// It.
    pub record: WebhookRecord,
    /// What is being delivered; none if the next message is still to be made.
    pub message: Option<WebhookMessage>,
    /// What somebody last changed in it.
    pub version: u64,
}

/// What one process is delivering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookHold {
    /// Whose webhook.
    pub tenant: TenantId,
    /// Which.
    pub webhook: WebhookId,
    /// The process.
    pub holder: [u8; 16],
    /// What it was when it was looked at.
    pub version: u64,
    /// The message.
    pub message: String,
}

/// One attempt, or a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookAttempt {
    /// The id of the message.
    pub message: String,
    /// When it began.
    pub at: Timestamp,
    /// Which attempt of this message, from 1.
    pub attempt: u32,
    /// How many changes it had.
    pub changes: u32,
    /// What was answered.
    pub status: Option<u16>,
    /// What failed, as a word; none if it arrived.
    pub failure: Option<String>,
    /// The same for people.
    pub detail: Option<String>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// Whether it was a test.
    pub test: bool,
}

/// What becomes of a message after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// It has arrived.
    Delivered,
    /// It is tried again.
    Again {
        /// What was tried so far.
        tries: Tries,
        /// When.
        at: Timestamp,
    },
    /// Nothing is delivered any more. The message is kept, for when somebody resumes it.
    Disabled {
        /// What was tried so far.
        tries: Tries,
        /// Why.
        why: WhyDisabled,
    },
}

/// Storage of outgoing webhooks.
#[async_trait]
pub trait Webhooks {
    /// Stores a webhook, and the entry with it. [`StoreError::Taken`] if the name is, [`StoreError::Refused`] if the tenant has as many as it
    /// may ([`limits::WEBHOOKS_PER_TENANT`](portolan_shared::model::limits::WEBHOOKS_PER_TENANT)).
    async fn add_webhook(&self, webhook: &NewWebhook, entry: &AuditEntry) -> Result<(), StoreError>;

    /// One, by id.
    async fn webhook(&self, tenant: TenantId, id: WebhookId) -> Result<Option<WebhookRecord>, StoreError>;

    /// One, by name.
    async fn webhook_by_name(
        &self,
        tenant: TenantId,
        name: &WebhookName,
    ) -> Result<Option<WebhookRecord>, StoreError>;

    /// The tenant's webhooks, by name.
    async fn webhooks(&self, tenant: TenantId, page: &PageRequest)
    -> Result<Page<WebhookRecord>, StoreError>;

    /// Changes one, and writes the entry that `entry` gives for it. None if there is none. [`StoreError::Taken`] if the name is.
    async fn change_webhook(
        &self,
        tenant: TenantId,
        id: WebhookId,
        change: &WebhookChange,
        now: Timestamp,
        entry: EntryFor<'_, WebhookRecord>,
    ) -> Result<Option<WebhookRecord>, StoreError>;

    /// Removes one with its log, and writes the entry. `false` if there is none.
    async fn remove_webhook(
        &self,
        tenant: TenantId,
        id: WebhookId,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError>;

    /// Its last attempts and tests, newest first.
    async fn webhook_deliveries(
        &self,
        tenant: TenantId,
        id: WebhookId,
        page: &PageRequest,
    ) -> Result<Page<WebhookAttempt>, StoreError>;

    /// Keeps what came of a test.
    async fn note_webhook_test(
        &self,
        tenant: TenantId,
        id: WebhookId,
        delivery: &WebhookAttempt,
    ) -> Result<(), StoreError>;

    /// Active webhooks of all tenants behind which the feed has grown, or that are ahead of it, and that nobody holds; tenants take turns, and in each whoever waits longest is first. At most `fresh` of
    /// which the present message was not tried yet, and at most `again` of which it was and is to be tried now.
    async fn due_webhooks(
        &self,
        now: Timestamp,
        fresh: u32,
        again: u32,
    ) -> Result<Vec<DueWebhook>, StoreError>;

    /// Notes that there is nothing for it up to here; unless somebody else was first.
    async fn pass_webhook(&self, due: &DueWebhook, to: &FeedPosition) -> Result<(), StoreError>;

    /// Takes a webhook for delivering this message, which stays the present one until it has arrived. None if it is not as it was when it
    /// was looked at: of several processes one gets it.
    async fn hold_webhook(
        &self,
        due: &DueWebhook,
        message: &WebhookMessage,
        holder: [u8; 16],
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<WebhookHold>, StoreError>;

    /// Ends the hold, and keeps what came of it. If the hold has passed to somebody else, nothing is written. If somebody has changed the
    /// webhook meanwhile, only that a message has arrived still counts. The entry is written if the webhook is disabled by this. Gives
    /// whether the outcome counted.
    async fn end_delivery(
        &self,
        hold: &WebhookHold,
        delivery: &WebhookAttempt,
        outcome: &DeliveryOutcome,
        entry: Option<&AuditEntry>,
    ) -> Result<bool, StoreError>;

    /// Disables one that cannot go on from where it is, unless it is not as it was when it was looked at.
    async fn disable_webhook(
        &self,
        due: &DueWebhook,
        why: WhyDisabled,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError>;

    /// Ends all holds of a process: it stops.
    async fn release_webhooks(&self, holder: [u8; 16]) -> Result<(), StoreError>;
}
