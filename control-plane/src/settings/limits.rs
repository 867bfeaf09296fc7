//! How much the sensors' door lets through.

use std::time::Duration;

/// A token bucket: so many a second in the long run, so many at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateLimit {
    /// In the long run.
    pub per_second: f64,
    /// At once.
    pub burst: f64,
}

impl RateLimit {
    /// A limit.
    #[must_use]
    pub const fn new(per_second: f64, burst: f64) -> Self {
        Self { per_second, burst }
    }
}

/// Limits of the sensors' listener. The defaults are those of the product; tests choose others to reach a bound, or to stay clear of it.
#[derive(Debug, Clone, PartialEq)]
pub struct DoorLimits {
    /// Time for a TLS handshake: the connection is dropped after.
    pub handshake: Duration,
    /// Handshakes at the same time, a quarter of them from one source: further connections wait, four times as many in all. A source
    /// that has a quarter of those is dropped; when there are so many of all sources, they wait in the listener's queue.
    pub handshakes: usize,
    /// Connections without a certificate at the same time, a quarter of them from one source: dropped above.
    pub strangers: usize,
    /// Life of a connection without a certificate: dropped after.
    pub stranger_life: Duration,
    /// Time for any call of the enrolment service: refused after.
    pub enrolment_deadline: Duration,
    /// Enrolment calls from one address.
    pub enrol_address: RateLimit,
    /// Enrolment requests for one invitation.
    pub enrol_invitation: RateLimit,
    /// Enrolment calls in all.
    pub enrol_all: RateLimit,
    /// New sessions in all.
    pub sessions_all: RateLimit,
    /// New sessions from one address; many sensors may share one.
    pub sessions_address: RateLimit,
    /// Calls of the upload service at the same time, half of them of one tenant: further ones wait.
    pub uploads: usize,
    /// Time for all messages of one stream of the upload service: refused after.
    pub upload_deadline: Duration,
    /// How long sessions are given to go elsewhere when the control plane stops, and people's requests at hand to be answered.
    pub drain: Duration,
}

impl Default for DoorLimits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(5),
            handshakes: 200,
            strangers: 256,
            stranger_life: Duration::from_secs(30),
            enrolment_deadline: Duration::from_secs(10),
            enrol_address: RateLimit::new(1.0, 10.0),
            enrol_invitation: RateLimit::new(5.0 / 60.0, 5.0),
            enrol_all: RateLimit::new(50.0, 50.0),
            sessions_all: RateLimit::new(100.0, 50.0),
            sessions_address: RateLimit::new(20.0, 60.0),
            uploads: 32,
            upload_deadline: Duration::from_secs(120),
            drain: Duration::from_secs(5),
        }
    }
}
