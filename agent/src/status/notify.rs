//! The listener for push events.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::report::to_the_second;

/// The listener for push events, and what came in since start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotifyStatus {
    /// Address and port.
    pub listen: String,
    /// Whether over TLS.
    pub encrypted: bool,
    /// What is in front of `/NAME` in the addresses that registries are given, if the settings say so.
    pub public_url: Option<String>,
    /// The registries that may notify.
    pub registries: Vec<NotifierStatus>,
    /// Requests that named none of them.
    pub refused_elsewhere: u64,
    /// Events that were sent to the control plane and are not acknowledged.
    pub on_the_way: usize,
}

/// A registry that may notify.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotifierStatus {
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
    /// Why the last one was refused, as a word.
    pub last_refused: Option<String>,
    /// When the last event was taken.
    pub last_event: Option<Timestamp>,
    /// Tags, digests and repositories that wait to be told to the control plane.
    pub waiting: usize,
}

impl fmt::Display for NotifyStatus {
    /// For people: lines of the status.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.encrypted { "TLS" } else { "without TLS" };
        write!(f, "push events  on {}, {how}", self.listen)?;
        if let Some(url) = &self.public_url {
            write!(f, "; registries reach it at {url}")?;
        }
        if self.refused_elsewhere > 0 {
            write!(f, "; {} refused for no known registry", self.refused_elsewhere)?;
        }
        writeln!(f)?;
        for registry in &self.registries {
            writeln!(f, "push events  {registry}")?;
        }
        Ok(())
    }
}

impl fmt::Display for NotifierStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({}): {} received, {} ignored, {} refused",
            self.name, self.sender, self.received, self.ignored, self.refused
        )?;
        if let Some(why) = &self.last_refused {
            write!(f, " (last: {why})")?;
        }
        write!(f, ", {} waiting", self.waiting)?;
        match self.last_event {
            Some(at) => write!(f, "; last event {}", to_the_second(at)),
            None => write!(f, "; no event since start"),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A listener with everything.
    pub(in super::super) fn sample() -> NotifyStatus {
        NotifyStatus {
            listen: "0.0.0.0:5443".into(),
            encrypted: true,
            public_url: Some("https://agent.example:5443/notify".into()),
            registries: vec![NotifierStatus {
                name: "gitlab".into(),
                sender: "gitlab".into(),
                received: 12,
                ignored: 3,
                refused: 1,
                last_refused: Some("secret".into()),
                last_event: Timestamp::new(1_800_000_000, 123_456_789).ok(),
                waiting: 2,
            }],
            refused_elsewhere: 4,
            on_the_way: 1,
        }
    }

    #[test]
    fn people_see_where_and_who_and_how_much() {
        assert_eq!(
            sample().to_string(),
            "push events  on 0.0.0.0:5443, TLS; registries reach it at https://agent.example:5443/notify; 4 refused for no known registry\n\
             push events  gitlab (gitlab): 12 received, 3 ignored, 1 refused (last: secret), 2 waiting; last event 2027-01-15T08:00:00Z\n"
        );
        let mut quiet = sample();
        quiet.public_url = None;
        quiet.refused_elsewhere = 0;
        quiet.registries[0].last_event = None;
        quiet.registries[0].last_refused = None;
        let text = quiet.to_string();
        assert!(text.starts_with("push events  on 0.0.0.0:5443, TLS\n"), "{text}");
        assert!(
            text.contains("1 refused, 2 waiting; no event since start"),
            "{text}"
        );
    }
}
