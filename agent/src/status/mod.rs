//! What the agent shows of itself: a report, served on a unix socket in the data directory for `portolan-agent status`, and, where settings
//! say so, health and metrics on a loopback port. Read-only; nothing here can be told anything. Knows no other part of the agent: whoever
//! wires it says where reports come from.

mod http;
mod metrics;
mod notify;
mod notify_metrics;
mod report;
mod socket;

pub use http::serve_health;
pub use metrics::metrics_text;
pub use notify::{NotifierStatus, NotifyStatus};
pub use report::{
    AuditStatus, CertificateStatus, ConnectionStatus, JobStatus, PolicyStatus, RefusedStatus,
    SealingKeyStatus, SensorStatus, StatusReport, StatusSource, WorkStatus,
};
pub use socket::{SOCKET, StatusSocket, ask};
