//! Outgoing webhooks: endpoints of others that are told of changes, as messages signed by the rules of Standard Webhooks
//! (standardwebhooks.com).
//!
//! A message is a batch of events of the change feed. `message` makes it, once: what was made is stored, and every attempt sends the same
//! bytes under the same id, whichever process makes it. `attempt` says what becomes of a message after an attempt; it is pure. `deliver` is the one
//! loop around both. How a message is brought to its endpoint, and which endpoints may be contacted at all, is the [`Courier`]'s affair.
//!
//! - A message is tried until it arrives, before the next one is made: an endpoint sees changes in their order. It may see a message twice: where
//!   the answer got lost, or a process stopped before it had noted it.
//! - A process holds a webhook while it delivers, in the database; so two of them do not deliver the same at the same time.
//! - What endpoints do does not concern others: each delivery goes on by itself, and slow ones have slots of their own (`slots`).
//! - Secrets are derived, not stored (`secret`).

mod attempt;
mod change;
mod courier;
mod deliver;
mod figures;
mod find;
mod message;
mod secret;
mod slots;
mod test;

pub use courier::{Courier, Failure, FailureWord, Letter, Reply};
pub use figures::webhook_figures;
pub use find::WebhookInput;
pub use secret::SigningKeys;
pub use test::{Tested, WebhookTests};

#[cfg(test)]
mod tests;
