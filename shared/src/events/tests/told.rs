//! What a notification says, in lines that a test can name.

use super::super::{Headers, Notification, NotificationError, Sender, read};

pub(super) const DIGEST: &str = "sha256:fbeba785391a3009a62758bd247cdb2142e1c7b8645b023c6f33c425b7dcd6ae";
pub(super) const OTHER: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

pub(super) fn none() -> [(&'static str, &'static str); 0] {
    []
}

/// What a notification says: a line an event, then what was ignored and refused, if anything was.
pub(super) fn told(notification: &Notification) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for event in &notification.events {
        let mut line = format!("{} {}", event.action, event.repository);
        if let Some(tag) = &event.tag {
            line += &format!(":{tag}");
        }
        if let Some(digest) = &event.digest {
            line += &format!("@{}", digest.short());
        }
        if let Some(id) = &event.id {
            line += &format!(" #{id}");
        }
        if let Some(at) = event.happened_at {
            line += &format!(" at {at}");
        }
        lines.push(line);
    }
    for (count, what) in [
        (notification.ignored, "ignored"),
        (notification.refused, "refused"),
    ] {
        if count > 0 {
            lines.push(format!("{count} {what}"));
        }
    }
    lines
}

pub(super) fn says(sender: Sender, headers: &dyn Headers, body: &str) -> Vec<String> {
    let body = body.replace("DIGEST", DIGEST).replace("OTHER", OTHER);
    told(&read(sender, headers, body.as_bytes()).unwrap())
}

pub(super) fn error(sender: Sender, body: &str) -> NotificationError {
    read(sender, &none(), body.as_bytes()).unwrap_err()
}
