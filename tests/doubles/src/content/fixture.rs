//! A few bytes whose digests are known in advance.

use portolan_shared::model::MediaType;

use super::store::Content;

/// A config of 294 bytes, `sha256:53335d84e97889dc5f00af1bffa104aeab44003305259f9c7ee02acfabf1b49c`.
pub const FIXTURE_CONFIG: &str = r#"{"architecture":"amd64","config":{"Cmd":["/app"],"Labels":{"org.opencontainers.image.source":"https://gitlab.example.com/acme/shop"}},"created":"2026-01-02T03:04:05Z","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:8498f3ef914e77deaa6b7da2c72a67dfa4274ce8b7803364727d1b474c7590b0"]}}"#;

/// A manifest of 400 bytes over it, `sha256:fbeba785391a3009a62758bd247cdb2142e1c7b8645b023c6f33c425b7dcd6ae`.
pub const FIXTURE_MANIFEST: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:53335d84e97889dc5f00af1bffa104aeab44003305259f9c7ee02acfabf1b49c","size":294},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:8498f3ef914e77deaa6b7da2c72a67dfa4274ce8b7803364727d1b474c7590b0","size":21}]}"#;

/// An index of 289 bytes over that, `sha256:d4e696df29e7087291c82501b60b3d013b3c6498a13b57cfc8b813bc5c642af8`.
pub const FIXTURE_INDEX: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:fbeba785391a3009a62758bd247cdb2142e1c7b8645b023c6f33c425b7dcd6ae","size":400,"platform":{"architecture":"amd64","os":"linux"}}]}"#;

impl Content {
    /// A GitLab of three repositories: `acme/shop` without tags; `acme/shop/api` with `1.0.0`, `1.0.1`, `latest`, the index `multi`
    /// and, in schema 1, `legacy`; `acme/open` with `1.0.0`. Of the tags only `1.0.0` of `acme/shop/api` was ever moved.
    #[must_use]
    pub fn gitlab_fixture() -> Self {
        let mut content = Self::new();
        content.shelf("acme/shop");
        let mut api = content.shelf("acme/shop/api");
        api.blob(FIXTURE_CONFIG);
        api.blob("fixture-layer-bytes-1");
        let manifest = api.raw_manifest(&MediaType::OCI_MANIFEST, FIXTURE_MANIFEST);
        let index = api.raw_manifest(&MediaType::OCI_INDEX, FIXTURE_INDEX);
        let legacy = api.schema1("legacy");
        for tag in ["1.0.0", "1.0.1", "latest"] {
            api.tag(tag, &manifest);
        }
        api.tag("multi", &index).tag("legacy", &legacy);
        api.pushed("1.0.0", "2026-01-02T03:04:05Z", Some("2026-01-05T00:00:00Z"));
        content.shelf("acme/open").mirror("acme/shop/api", "1.0.0");
        content
    }
}
