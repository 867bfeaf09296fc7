//! Who brings messages to their endpoints.

use std::fmt;

use futures::future::BoxFuture;
use portolan_shared::model::WebhookUrl;

/// A message on its way.
#[derive(Debug, Clone)]
pub struct Letter {
    /// Where to.
    pub url: WebhookUrl,
    /// `webhook-id`
    pub id: String,
    /// `webhook-timestamp`, in seconds since 1970.
    pub timestamp: i64,
    /// `webhook-signature`
    pub signature: String,
    /// What it says, as `application/cloudevents-batch+json`.
    pub body: Vec<u8>,
}

/// What came of bringing it there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// It was answered.
    Answered {
        /// With this status.
        status: u16,
        /// And this `Retry-After`, as it stood there.
        retry_after: Option<String>,
    },
    /// There was no answer.
    Failed(Failure),
}

/// Why there was no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// As a word, for programs.
    pub word: FailureWord,
    /// For people; bounded, printable, and without the URL.
    pub detail: String,
}

/// What failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureWord {
    /// The endpoint may not be contacted.
    Forbidden,
    /// Its name could not be resolved, or leads to an address that may not be contacted: which of the two is not said.
    Dns,
    /// No connection.
    Connect,
    /// Its certificate was not accepted.
    Certificate,
    /// TLS failed otherwise.
    Tls,
    /// It did not answer in time.
    Timeout,
    /// It answered something that is not HTTP, or hung up.
    Protocol,
}

impl FailureWord {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Forbidden => "forbidden",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Certificate => "certificate",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Protocol => "protocol",
        }
    }
}

/// Brings messages to endpoints.
pub trait Courier: Send + Sync + fmt::Debug {
    /// Whether this may be an endpoint, as far as can be told without asking anybody. What is wrong with it, for people.
    fn judge(&self, url: &WebhookUrl) -> Result<(), String>;

    /// Brings one there. Ends within half a minute, whatever the endpoint does.
    fn bring(&self, letter: Letter) -> BoxFuture<'_, Reply>;
}
