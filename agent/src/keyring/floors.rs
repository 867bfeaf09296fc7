//! The lowest version of each sealed credential that is still taken.

use std::collections::BTreeMap;

use portolan_shared::model::CredentialId;

/// Credentials whose versions are remembered. None is ever forgotten for another one, or whoever makes up enough credentials could have an
/// old version taken again: at the bound, a credential that is not remembered yet is refused.
pub const FLOORS: usize = 4_096;
const ENTRY: usize = 16 + 8;

/// By credential, the highest version that has worked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VersionFloors(BTreeMap<CredentialId, u64>);

impl VersionFloors {
    /// The highest version of this credential that has worked; 0 if none has.
    #[must_use]
    pub fn of(&self, credential: CredentialId) -> u64 {
        self.0.get(&credential).copied().unwrap_or(0)
    }

    /// Whether there is room for this credential.
    #[must_use]
    pub fn has_room_for(&self, credential: CredentialId) -> bool {
        self.0.len() < FLOORS || self.0.contains_key(&credential)
    }

    /// This version has worked: `None` if that changes nothing.
    #[must_use]
    pub fn raised(&self, credential: CredentialId, version: u64) -> Option<Self> {
        if version <= self.of(credential) || !self.has_room_for(credential) {
            return None;
        }
        let mut raised = self.clone();
        raised.0.insert(credential, version);
        Some(raised)
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.0.len() * ENTRY);
        for (credential, version) in &self.0 {
            out.extend_from_slice(credential.as_bytes());
            out.extend_from_slice(&version.to_be_bytes());
        }
        out
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let (entries, rest) = bytes.as_chunks::<ENTRY>();
        let read = |entry: &[u8; ENTRY]| {
            let (id, version) = entry.split_at(16);
            let credential = CredentialId::from_slice(id).ok()?;
            Some((credential, u64::from_be_bytes(version.try_into().ok()?)))
        };
        let floors: Option<BTreeMap<_, _>> = entries.iter().map(read).collect();
        floors
            .filter(|floors| rest.is_empty() && floors.len() == entries.len() && floors.len() <= FLOORS)
            .map(Self)
            .ok_or_else(|| "it is no list of versions".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::process::SeededRng;

    #[test]
    fn floors_only_rise_and_none_is_forgotten_at_the_bound() {
        let rng = SeededRng::new(1);
        let mut floors = VersionFloors::default();
        let first = CredentialId::random(&rng);
        floors = floors.raised(first, 3).unwrap();
        assert!(floors.raised(first, 3).is_none() && floors.raised(first, 2).is_none());
        while floors.0.len() < FLOORS {
            floors = floors.raised(CredentialId::random(&rng), 1).unwrap();
        }
        let late = CredentialId::random(&rng);
        assert!(!floors.has_room_for(late) && floors.raised(late, 9).is_none());
        assert_eq!(floors.raised(first, 4).unwrap().of(first), 4);
        let bytes = floors.to_bytes();
        assert_eq!(VersionFloors::from_bytes(&bytes), Ok(floors));
        assert!(VersionFloors::from_bytes(&bytes[1..]).is_err());
        let twice = [&bytes[..ENTRY], &bytes[..ENTRY]].concat();
        assert!(VersionFloors::from_bytes(&twice).is_err());
    }
}
