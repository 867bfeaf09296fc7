//! Tells the control plane what registries have said.

use portolan_proto::convert::relayed_to_wire;
use portolan_proto::v1;
use portolan_proto::v1::sensor_message::Body as Up;
use portolan_shared::process::Uptime;

use super::failure::Failure;
use super::run::Uplink;
use super::session::Session;

/// What a control plane that takes events says of itself, and this agent: it is told of single tags to look at, too.
pub(super) const CAPABILITY: &str = "events";

impl Uplink {
    /// The session over which events can be told now: one that takes them, whose continuity token is stored.
    fn telling(&self) -> Option<&Session> {
        let session = self.current.as_ref().filter(|session| session.takes_events)?;
        self.continuity.is_settled().then_some(session)
    }

    /// From when on events can be told; none while there are none, or nobody to tell.
    pub(super) fn events_due(&self) -> Option<Uptime> {
        let session = self.telling()?;
        // Whoever does not read gets no more of them: places are kept for what must be sent.
        let due = self.parts.notify.due(session.epoch)?;
        session.has_room().then_some(due)
    }

    /// Tells what is due. One message at a time: the next when this one was acknowledged, or over another session.
    pub(super) fn tell_events(&mut self, now: Uptime) -> Result<(), Failure> {
        if self.events_due().is_none_or(|due| due > now) {
            return Ok(());
        }
        let Some(session) = &mut self.current else {
            return Ok(());
        };
        match self.parts.notify.next(session.epoch, now) {
            Some(batch) => session.send(Up::PushEvents(relayed_to_wire(&batch))),
            None => Ok(()),
        }
    }

    /// The control plane has them.
    pub(super) fn on_events_taken(&self, ack: &v1::PushEventsAck) {
        self.parts.notify.acknowledged(ack.number, &ack.unknown);
    }
}
