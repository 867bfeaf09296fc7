//! Outgoing webhooks: who is told of changes, how far, and what came of it.

use async_trait::async_trait;
use jiff::Timestamp;
use portolan_shared::model::{
    RegistryId, RegistryName, TenantId, WebhookId, WebhookName, WebhookUrl, limits,
};

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
    /// Entries of the tenant's feed up to the last that may be for it, that it has not been through.
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
    /// Whether the last attempt took long ([`WebhookAttempt::is_slow`]).
    pub slow: bool,
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

impl WebhookAttempt {
    /// Whether it took longer than [`limits::QUICK_DELIVERY_MS`], whatever became of it: an endpoint that refuses at once holds nobody up.
    #[must_use]
    pub fn is_slow(&self) -> bool {
        self.took_ms > limits::QUICK_DELIVERY_MS
    }
}

/// What was done to webhooks that nobody delivers to at present.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TendedWebhooks {
    /// Those that were moved to the end of the feed, because nothing in it is for them.
    pub moved: u64,
    /// Those that were disabled as [`WhyDisabled::Forgotten`].
    pub forgotten: u64,
}

/// The webhooks of all tenants, in figures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WebhookFigures {
    /// Those to which messages go.
    pub active: u64,
    /// Those that somebody holds back.
    pub paused: u64,
    /// Those to which none go any more.
    pub disabled: u64,
    /// Of the active ones, those of which a message was tried in vain.
    pub failing: u64,
    /// Since when the longest of these.
    pub failing_since: Option<Timestamp>,
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

    /// Keeps what came of a test, and writes the entry. If the webhook was removed meanwhile, only the entry.
    async fn note_webhook_test(
        &self,
        tenant: TenantId,
        id: WebhookId,
        delivery: &WebhookAttempt,
        entry: &AuditEntry,
    ) -> Result<(), StoreError>;

    /// Active webhooks of all tenants behind which the feed has grown by what they are told of, or that cannot go on from where they are, and that
    /// nobody holds. Tenants take turns, and what is held of one counts as turns that it had; in each the one whose last turn is longest ago is first. At most `quick` of which the endpoint is not slow
    /// ([`WebhookAttempt::is_slow`]), and at most `slow` of which it is. A message that was tried in vain is there when it is to be tried again.
    async fn due_webhooks(
        &self,
        now: Timestamp,
        quick: u32,
        slow: u32,
    ) -> Result<Vec<DueWebhook>, StoreError>;

    /// Notes that there is nothing for it up to here, and that this was its turn; unless somebody else was first.
    async fn pass_webhook(
        &self,
        due: &DueWebhook,
        to: &FeedPosition,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// To be done now and then. Webhooks that are told of one registry, of which nothing was written behind them, are moved to the end of the feed, so
    /// that what is forgotten of it does not overtake them. Those that are paused and were overtaken by that are disabled, with the entry
    /// that `entry` gives for each. Writes only if there are any.
    async fn tend_webhooks(&self, entry: EntryFor<'_, WebhookRecord>) -> Result<TendedWebhooks, StoreError>;

    /// All webhooks in figures.
    async fn webhook_figures(&self) -> Result<WebhookFigures, StoreError>;

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

    /// Disables one that cannot go on from where it is, unless it is not as it was when it was looked at, or is held at the entry's time.
    async fn disable_webhook(
        &self,
        due: &DueWebhook,
        why: WhyDisabled,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError>;

    /// Ends all holds of a process: it stops.
    async fn release_webhooks(&self, holder: [u8; 16]) -> Result<(), StoreError>;
}
