//! One type per identifier, so that no two can be swapped by accident.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::process::{Clock, Rng};

/// A text or byte string that is not an identifier of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {kind} id: expected a UUID such as 01890a5d-ac96-774b-bcce-b302099a8057")]
pub struct IdError {
    kind: &'static str,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $kind:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new identifier: UUID version 7 (RFC 9562), so that identifiers sort by time of creation.
            pub fn generate(clock: &dyn Clock, rng: &dyn Rng) -> Self {
                let mut random = [0; 10];
                rng.fill(&mut random);
                let millis = u64::try_from(clock.now().as_millisecond()).unwrap_or(0);
                Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
            }

            /// A new identifier without any order or time in it: UUID version 4 (RFC 9562).
            pub fn random(rng: &dyn Rng) -> Self {
                let mut random = [0; 16];
                rng.fill(&mut random);
                Self(uuid::Builder::from_random_bytes(random).into_uuid())
            }

            /// The sixteen bytes, most significant first.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// From sixteen bytes, most significant first.
            pub fn from_slice(bytes: &[u8]) -> Result<Self, IdError> {
                Uuid::from_slice(bytes).map(Self).map_err(|_| IdError { kind: $kind })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Uuid::try_parse(text).map(Self).map_err(|_| IdError { kind: $kind })
            }
        }
    )*};
}

ids! {
    /// A customer organisation.
    TenantId = "tenant";
    /// One enrolled installation with its own identity.
    SensorId = "sensor";
    /// A connection to one registry host.
    RegistryId = "registry";
    /// One sync of one registry.
    RunId = "run";
    /// One look of a sensor at a registry, stage by stage.
    ProbeId = "probe";
    /// The public part of an enrolment token; random, so that it tells nothing.
    InvitationId = "invitation";
    /// A sealed login for one registry; keeps its id from version to version.
    CredentialId = "credential";
    /// The public part of an API token.
    ApiTokenId = "API token";
    /// Somebody's endpoint that is told of changes.
    WebhookId = "webhook";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{ManualClock, SeededRng};

    #[test]
    fn ids_round_trip_and_sort_by_time() {
        let (clock, rng) = (ManualClock::at_unix_seconds(1_700_000_000), SeededRng::new(7));
        let first = RunId::generate(&clock, &rng);
        clock.advance(std::time::Duration::from_secs(1));
        let second = RunId::generate(&clock, &rng);
        assert!(first < second);
        assert_eq!(first.to_string().parse::<RunId>().unwrap(), first);
        assert_eq!(RunId::from_slice(first.as_bytes()).unwrap(), first);
        assert!(
            "01890a5d"
                .parse::<RunId>()
                .unwrap_err()
                .to_string()
                .contains("run id")
        );
    }
}
