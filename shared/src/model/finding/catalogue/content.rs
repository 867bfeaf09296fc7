//! Manifests, configs, and policies about them.

use super::entry::Entry;
use crate::model::facts::Flavour;
use crate::model::finding::code::{FindingCode, Severity};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: FindingCode::ManifestMissing,
        severity: Severity::Warning,
        product: None,
        symptom: "404 for the manifest of a tag that is listed.",
        cause: "A tag is listed but its manifest is gone.",
        cure: "Delete the tag, or push the image again.",
    },
    Entry {
        code: FindingCode::ManifestTooLarge,
        severity: Severity::Info,
        product: None,
        symptom: "A manifest is recorded without its content.",
        cause: "The manifest is larger than the bound; digest and size are kept, its content is not.",
        cure: "Nothing to do unless the manifest is meant to be like this.",
    },
    Entry {
        code: FindingCode::ManifestMalformed,
        severity: Severity::Warning,
        product: None,
        symptom: "A manifest cannot be read.",
        cause: "The manifest is not one that the specifications allow.",
        cure: "Push the image again with a current tool.",
    },
    Entry {
        code: FindingCode::ManifestChildMissing,
        severity: Severity::Info,
        product: None,
        symptom: "404 for a platform of a multi-platform image; whoever pushes such an index is told 'manifest blob unknown: blob unknown to registry'.",
        cause: "An index names a manifest that the registry does not have: it was pushed to another repository, deleted, or never mirrored.",
        cure: "Nothing to do for a sparse mirror; otherwise push the missing platform again, to the index's own repository.",
    },
    Entry {
        code: FindingCode::ManifestTooDeep,
        severity: Severity::Info,
        product: None,
        symptom: "A nested index is not read to its end.",
        cause: "Indexes are nested deeper than is read.",
        cure: "Nothing to do unless the index is meant to be like this.",
    },
    Entry {
        code: FindingCode::ManifestSchema1,
        severity: Severity::Warning,
        product: None,
        symptom: "400 MANIFEST_INVALID, 'Schema 1 manifest not supported'; clients say 404 Not Found or Unknown Manifest.",
        cause: "The image was pushed by a Docker older than 17.12 and is stored in a format that the registry no longer serves.",
        cure: "Push the image again with a current Docker.",
    },
    Entry {
        code: FindingCode::ManifestBlocked,
        severity: Severity::Warning,
        product: Some(Flavour::Harbor),
        symptom: "412 for a manifest.",
        cause: "A policy of the registry forbids pulling it: not signed, or vulnerable.",
        cure: "Nothing, if that is meant; else exempt the scanning account, or sign or repair the image.",
    },
    Entry {
        code: FindingCode::DigestMismatch,
        severity: Severity::Warning,
        product: None,
        symptom: "Content is refused because its hash is not the one that was asked for.",
        cause: "The registry served content that does not hash to its digest; it was refused.",
        cure: "Check the registry's storage and any proxy in between: content was altered or corrupted.",
    },
    Entry {
        code: FindingCode::ConfigUnreadable,
        severity: Severity::Warning,
        product: None,
        symptom: "An image's config is not read.",
        cause: "The image's config could not be fetched or is not an image config.",
        cure: "Check that blobs can be read, including redirects to storage hosts.",
    },
    Entry {
        code: FindingCode::GitLabCleanupMatchesNothing,
        severity: Severity::Info,
        product: Some(Flavour::GitLab),
        symptom: "The project's cleanup policy is on and never deletes a tag.",
        cause: "The policy was saved without a pattern of tags to remove: an empty name_regex matches nothing.",
        cure: "Enter .* or another pattern in 'Remove tags matching'.",
    },
    Entry {
        code: FindingCode::GitLabCleanupInvalid,
        severity: Severity::Info,
        product: Some(Flavour::GitLab),
        symptom: "The project's cleanup policy has a pattern that is no regular expression; saving it says 'Something went wrong while updating the cleanup policy'.",
        cause: "GitLab uses RE2; look-arounds and back-references are not part of it.",
        cure: "Correct the pattern in the project's cleanup policy.",
    },
];
