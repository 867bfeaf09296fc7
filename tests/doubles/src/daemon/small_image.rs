//! A small image, layer and all, for clients to push.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use portolan_shared::model::Digest;
use serde_json::json;

/// An empty layer: a gzipped tar of nothing, the one that Docker's builder made for every instruction that changed no file.
const LAYER: &[u8] = &[
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x09, 0x6e, 0x88, 0x00, 0xff, 0x62, 0x18, 0x05, 0xa3, 0x60, 0x14, 0x8c,
    0x58, 0x00, 0x08, 0x00, 0x00, 0xff, 0xff, 0x2e, 0xaf, 0xb5, 0xef, 0x00, 0x04, 0x00, 0x00,
];
/// Digest of what is in it.
const DIFF_ID: &str = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";

/// An OCI image of a kilobyte. Two with the same seed have the same digest; all of them share their layer.
#[derive(Debug, Clone)]
pub struct SmallImage {
    config: Vec<u8>,
    manifest: Vec<u8>,
}

impl SmallImage {
    /// Media type of its manifest.
    pub const MEDIA_TYPE: &'static str = "application/vnd.oci.image.manifest.v1+json";

    /// The image of this seed.
    #[must_use]
    pub fn new(seed: &str) -> Self {
        let config = json!({
            "created": "2026-01-02T03:04:05Z",
            "os": "linux",
            "architecture": "amd64",
            "config": {"Labels": {"org.opencontainers.image.title": seed}, "Entrypoint": ["/srv/app"]},
            "rootfs": {"type": "layers", "diff_ids": [DIFF_ID]},
        });
        let config = config.to_string().into_bytes();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": Self::MEDIA_TYPE,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": Digest::sha256_of(&config),
                "size": config.len(),
            },
            "layers": [{
                "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                "digest": Digest::sha256_of(LAYER),
                "size": LAYER.len(),
            }],
        });
        let manifest = manifest.to_string().into_bytes();
        Self { config, manifest }
    }

    /// Digest of its manifest.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::sha256_of(&self.manifest)
    }

    /// Its manifest.
    #[must_use]
    pub fn manifest(&self) -> &[u8] {
        &self.manifest
    }

    /// What has to be in the registry before its manifest: layer and config.
    #[must_use]
    pub fn blobs(&self) -> [(Digest, &[u8]); 2] {
        [LAYER, &self.config].map(|bytes| (Digest::sha256_of(bytes), bytes))
    }

    /// Writes it as the folder that skopeo calls `dir:`.
    pub(super) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.join(name);
            fs::write(&path, bytes).with_context(|| format!("write {}", path.display()))
        };
        write("version", b"Directory Transport Version: 1.1\n")?;
        write("manifest.json", &self.manifest)?;
        for (digest, bytes) in self.blobs() {
            let text = digest.to_string();
            write(text.split_once(':').map_or(text.as_str(), |(_, hex)| hex), bytes)?;
        }
        Ok(())
    }
}
