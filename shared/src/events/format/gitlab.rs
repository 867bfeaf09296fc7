//! GitLab. Its webhooks have no trigger for the container registry (list of triggers in its documentation and code; the request for one was open
//! in 2026): push, pipeline and all others are counted and nothing is read out of them. What its registry sends is Distribution's.
//!
//! A registry's notifications carry no `X-Gitlab-Event`; whoever has one is a webhook, also when it was pointed at the registry's address.

use super::distribution;
use crate::events::authenticate::is_gitlab_webhook;
use crate::events::{Headers, Notification, NotificationError, Sender};

pub(in crate::events) fn read(
    sender: Sender,
    headers: &dyn Headers,
    body: &[u8],
) -> Result<Notification, NotificationError> {
    if is_gitlab_webhook(sender, headers) {
        return Ok(Notification {
            ignored: 1,
            ..Notification::default()
        });
    }
    distribution::read(sender, body)
}
