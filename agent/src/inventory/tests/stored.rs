//! What the control plane in memory has of content.

use portolan_shared::model::FindingCode;

/// What is stored under a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stored {
    Whole,
    Incomplete,
    Unavailable(FindingCode),
}

impl Stored {
    /// No reason to read a repository again that has not changed.
    pub(super) fn is_settled(self) -> bool {
        match self {
            Self::Whole => true,
            Self::Incomplete => false,
            Self::Unavailable(code) => matches!(code, FindingCode::TooLarge | FindingCode::ManifestTooLarge),
        }
    }

    /// Whether whoever has it below is nevertheless as whole as can be.
    pub(super) fn is_for_good(self) -> bool {
        match self {
            Self::Whole => true,
            Self::Incomplete => false,
            Self::Unavailable(code) => matches!(
                code,
                FindingCode::TooLarge
                    | FindingCode::ManifestTooLarge
                    | FindingCode::ManifestTooDeep
                    | FindingCode::ManifestChildMissing
                    | FindingCode::ManifestMalformed
                    | FindingCode::DigestMismatch
            ),
        }
    }

    /// What is stored once something else has been put: never less than before.
    pub(super) fn or(self, put: Self) -> Self {
        match (self, put) {
            (Self::Whole, _) | (Self::Incomplete, Self::Incomplete | Self::Unavailable(_)) => self,
            (Self::Incomplete, Self::Whole) | (Self::Unavailable(_), _) => put,
        }
    }
}
