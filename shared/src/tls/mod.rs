//! TLS: one rustls configuration per role, and what both halves need to know about certificates.

mod certs_dir;
mod clock;
mod expiry;
mod missing_trust;
mod peer;
mod pin;
mod provider;
mod refusal;
mod registry;
mod served;
mod served_chain;
mod towards_control_plane;
mod towards_sensors;

#[cfg(test)]
mod tests;

pub use clock::ClockTime;
pub use expiry::{CertificateHealth, CertificateLife};
pub use missing_trust::MissingTrust;
pub use peer::{PeerIdentity, PeerIdentityError, sensor_uri};
pub use pin::SpkiPin;
pub use provider::provider;
pub use registry::{ChainProblem, ChainRefused, RegistryTrust, SystemRoots, TrustError};
pub use served::ServedCertificates;
pub use served_chain::{ServedCertificate, ServedChain};
pub use towards_control_plane::{ClientIdentity, ControlPlaneTrust, TrustFailure, control_plane_client};
pub use towards_sensors::{DeniedSensors, SensorVerifier, SwappableCertificate, sensor_server};
