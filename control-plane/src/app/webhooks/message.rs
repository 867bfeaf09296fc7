//! Making messages.

use aws_lc_rs::digest;
use data_encoding::HEXLOWER;
use portolan_shared::model::{WebhookId, limits};
use portolan_store::{Changes, FeedPosition, WebhookMessage};

use crate::app::CloudEvent;

/// What follows for a webhook behind its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing that it is told of, up to here.
    Nothing(FeedPosition),
    /// This.
    Message(WebhookMessage),
}

/// Makes the next message out of what follows in the feed: as many changes as one may have
/// ([`limits::MESSAGE_CHANGES`], [`limits::MESSAGE_BYTES`]), in order. A change that is too large by itself goes alone.
pub(super) fn compose(webhook: WebhookId, from: &FeedPosition, changes: &Changes) -> Next {
    let mut body = Vec::new();
    let mut count = 0;
    let mut ends = None;
    for change in &changes.items {
        let event = serde_json::to_vec(&CloudEvent::of_change(change))
            .expect("an event is made of texts and maps of texts alone");
        // The brackets, and a comma.
        let whole = body.len() + event.len() + 2;
        if count > 0 && (whole > limits::MESSAGE_BYTES || count >= limits::MESSAGE_CHANGES) {
            break;
        }
        body.push(if count == 0 { b'[' } else { b',' });
        body.extend(event);
        count += 1;
        ends = Some(&change.position);
    }
    let Some(last) = ends else {
        return Next::Nothing(changes.next.clone());
    };
    body.push(b']');
    let all = usize::try_from(count).is_ok_and(|count| count == changes.items.len());
    Next::Message(WebhookMessage {
        id: id_of(webhook, from, last, &body),
        body,
        changes: count,
        // Behind what follows is nothing for it, so it need not be looked at again.
        ends: if all { changes.next.clone() } else { last.clone() },
    })
}

/// The same for the same message, and different for any other.
fn id_of(webhook: WebhookId, from: &FeedPosition, last: &FeedPosition, body: &[u8]) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(webhook.as_bytes());
    context.update(format!("\0{from}\0{last}\0").as_bytes());
    context.update(body);
    format!("msg_{}", &HEXLOWER.encode(context.finish().as_ref())[..32])
}
