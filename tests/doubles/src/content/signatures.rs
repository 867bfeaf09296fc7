//! What speaks of other manifests: signatures, attestations, bills of materials; by tag as cosign began, and by subject as
//! image-spec 1.1 has it.

use data_encoding::BASE64;
use portolan_shared::model::{Digest, MediaType};
use serde_json::{Value, json};

use super::image::{descriptor, draw_bytes};
use super::shelf::{Shelf, empty_descriptor};

impl Shelf<'_> {
    /// A cosign signature of the older form, with its tag `sha256-<hex>.sig`.
    pub fn cosign_signature(&mut self, subject: &Digest) -> Digest {
        let mut layer = descriptor(
            "application/vnd.dev.cosign.simplesigning.v1+json",
            &format!("sig/{subject}"),
        );
        let signature = BASE64.encode(&draw_bytes(&format!("signature/{subject}")));
        layer["annotations"] = json!({"dev.cosignproject.cosign/signature": signature});
        self.by_tag(subject, ".sig", &layer)
    }

    /// A cosign attestation of the older form, with its tag `sha256-<hex>.att`.
    pub fn cosign_attestation(&mut self, subject: &Digest) -> Digest {
        let mut layer = descriptor("application/vnd.dsse.envelope.v1+json", &format!("att/{subject}"));
        layer["annotations"] = json!({"predicateType": "https://slsa.dev/provenance/v0.2"});
        self.by_tag(subject, ".att", &layer)
    }

    /// A bill of materials attached by cosign's older form, with its tag `sha256-<hex>.sbom`.
    pub fn cosign_sbom(&mut self, subject: &Digest) -> Digest {
        let layer = descriptor("text/spdx+json", &format!("sbom/{subject}"));
        self.by_tag(subject, ".sbom", &layer)
    }

    /// cosign's older form is an image whose config says nothing.
    fn by_tag(&mut self, subject: &Digest, suffix: &str, layer: &Value) -> Digest {
        let config = json!({
            "architecture": "",
            "os": "",
            "created": "0001-01-01T00:00:00Z",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
        });
        let config = config.to_string();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MediaType::OCI_MANIFEST,
            "config": {
                "mediaType": MediaType::OCI_CONFIG,
                "digest": Digest::sha256_of(config.as_bytes()),
                "size": config.len(),
            },
            "layers": [layer],
        });
        self.blob(config);
        let digest = self.manifest(&MediaType::OCI_MANIFEST, &manifest);
        let tag = format!("{}{suffix}", fallback_tag(subject));
        self.tag(&tag, &digest);
        digest
    }

    /// A manifest that refers to `subject`, with an empty config.
    pub fn referrer(
        &mut self,
        subject: &Digest,
        artifact_type: &str,
        layer_type: &str,
        annotations: &Value,
    ) -> Digest {
        self.blob("{}");
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MediaType::OCI_MANIFEST,
            "artifactType": artifact_type,
            "config": empty_descriptor(),
            "layers": [descriptor(layer_type, &format!("{artifact_type}/{subject}"))],
            "subject": self.describe(subject),
            "annotations": annotations,
        });
        self.manifest(&MediaType::OCI_MANIFEST, &manifest)
    }

    /// A cosign signature of the newer form: a sigstore bundle that refers to its subject.
    pub fn cosign_bundle(&mut self, subject: &Digest) -> Digest {
        let annotations = json!({
            "dev.sigstore.bundle.content": "dsse-envelope",
            "dev.sigstore.bundle.predicateType": "https://sigstore.dev/cosign/sign/v1",
            "org.opencontainers.image.created": "2026-02-03T04:05:06Z",
        });
        let kind = "application/vnd.dev.sigstore.bundle.v0.3+json";
        self.referrer(subject, kind, kind, &annotations)
    }

    /// Provenance as a sigstore bundle that refers to its subject.
    pub fn provenance_bundle(&mut self, subject: &Digest) -> Digest {
        let annotations = json!({
            "dev.sigstore.bundle.content": "dsse-envelope",
            "dev.sigstore.bundle.predicateType": "https://slsa.dev/provenance/v1",
        });
        let kind = "application/vnd.dev.sigstore.bundle.v0.3+json";
        self.referrer(subject, kind, kind, &annotations)
    }

    /// A signature by Notation, which refers to its subject.
    pub fn notation_signature(&mut self, subject: &Digest) -> Digest {
        let annotations = json!({"io.cncf.notary.x509chain.thumbprint#S256": "[\"00\"]"});
        self.referrer(
            subject,
            "application/vnd.cncf.notary.signature",
            "application/jose+json",
            &annotations,
        )
    }

    /// A bill of materials that refers to its subject, as ORAS attaches it.
    pub fn sbom(&mut self, subject: &Digest) -> Digest {
        self.referrer(
            subject,
            "application/spdx+json",
            "application/spdx+json",
            &json!({}),
        )
    }

    /// An in-toto attestation that refers to its subject.
    pub fn attestation(&mut self, subject: &Digest) -> Digest {
        let annotations = json!({"in-toto.io/predicate-type": "https://slsa.dev/provenance/v1"});
        let kind = "application/vnd.in-toto+json";
        self.referrer(subject, kind, kind, &annotations)
    }

    /// Writes the tag `sha256-<hex>` over an index of all referrers of each subject here: what clients do on pushing to a registry
    /// that has no referrers API (distribution-spec 1.1, "Referrers Tag Schema").
    pub fn fallback_tags(&mut self) -> &mut Self {
        let repository = self
            .content
            .repository(self.name.as_str())
            .cloned()
            .unwrap_or_default();
        let subjects: std::collections::BTreeSet<Digest> = repository
            .manifests()
            .iter()
            .filter_map(|digest| self.content.manifests().get(digest)?.subject.clone())
            .collect();
        for subject in subjects {
            let referrers = self.content.referrers(self.name.as_str(), &subject);
            let index = self.index_of(&MediaType::OCI_INDEX, &referrers);
            self.tag(&fallback_tag(&subject), &index);
        }
        self
    }
}

/// `sha256-<hex>`: the referrers tag of distribution-spec 1.1, and the beginning of cosign's.
fn fallback_tag(subject: &Digest) -> String {
    subject
        .to_string()
        .replace(':', "-")
        .chars()
        .take(7 + 64)
        .collect()
}
