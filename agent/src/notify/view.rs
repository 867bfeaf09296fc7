//! What is shown of the listener and its queue.

use jiff::Timestamp;

/// Where things stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifyView {
    /// The registries that may notify, in the order of the settings.
    pub registries: Vec<NotifierView>,
    /// Requests that named none of them, since start.
    pub refused_elsewhere: u64,
    /// Events that were sent to the control plane and are not acknowledged.
    pub on_the_way: usize,
    /// What the control plane is told of the address.
    pub public_url: Option<String>,
    /// What somebody should look at, with what to do.
    pub warnings: Vec<String>,
}

/// A registry that may notify. Numbers are since start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifierView {
    /// Its name.
    pub name: String,
    /// In whose format.
    pub sender: String,
    /// Events that were taken.
    pub received: u64,
    /// Events that are of no interest, were repeated, or are not to be told by the policy.
    pub ignored: u64,
    /// Requests that were refused, and events that were malformed.
    pub refused: u64,
    /// Why the last one was refused.
    pub last_refused: Option<String>,
    /// When the last event was taken.
    pub last_event: Option<Timestamp>,
    /// Subjects that wait to be told.
    pub waiting: usize,
}
