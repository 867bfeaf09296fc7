//! Images: configs and layers that look like real ones.

use data_encoding::HEXLOWER;
use portolan_shared::model::{Digest, MediaType};
use serde_json::{Value, json};

/// How every fake secret in a generated config begins.
pub const CANARY: &str = "portolan-canary-";

/// The layers at the bottom of many images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SharedBase {
    /// Nothing shared.
    None,
    /// Two layers that all images with this base have in common, per processor.
    Debian,
    /// One layer that all images with this base have in common, per processor.
    Alpine,
}

/// One image, described. Two with the same description have the same digest.
#[derive(Debug, Clone)]
pub struct Image {
    pub(super) seed: String,
    pub(super) os: String,
    pub(super) architecture: String,
    pub(super) variant: Option<String>,
    pub(super) docker: bool,
    layers: usize,
    base: SharedBase,
}

impl Image {
    /// A linux/amd64 OCI image of four layers on Debian, everything else drawn from `seed`.
    #[must_use]
    pub fn new(seed: &str) -> Self {
        Self {
            seed: seed.to_owned(),
            os: "linux".to_owned(),
            architecture: "amd64".to_owned(),
            variant: None,
            docker: false,
            layers: 4,
            base: SharedBase::Debian,
        }
    }

    /// For another platform: `os/architecture` or `os/architecture/variant`.
    #[must_use]
    pub fn platform(mut self, platform: &str) -> Self {
        let mut parts = platform.split('/').map(str::to_owned);
        self.os = parts.next().unwrap_or_default();
        self.architecture = parts.next().unwrap_or_default();
        self.variant = parts.next();
        self
    }

    /// In Docker's schema 2 in place of OCI's.
    #[must_use]
    pub fn docker(mut self) -> Self {
        self.docker = true;
        self
    }

    /// With this many layers of its own.
    #[must_use]
    pub fn layers(mut self, layers: usize) -> Self {
        self.layers = layers;
        self
    }

    /// On another base.
    #[must_use]
    pub fn base(mut self, base: SharedBase) -> Self {
        self.base = base;
        self
    }

    pub(super) fn media_type(&self) -> MediaType {
        if self.docker {
            MediaType::DOCKER_MANIFEST
        } else {
            MediaType::OCI_MANIFEST
        }
    }

    fn layer_names(&self) -> Vec<String> {
        let place = format!("{}/{}", self.os, self.architecture);
        let mut names = match self.base {
            SharedBase::None => Vec::new(),
            SharedBase::Debian => vec![format!("debian/0/{place}"), format!("debian/1/{place}")],
            SharedBase::Alpine => vec![format!("alpine/0/{place}")],
        };
        names.extend((0..self.layers).map(|layer| format!("{}/{layer}/{place}", self.seed)));
        names
    }

    pub(super) fn platform_json(&self) -> Value {
        let mut platform = json!({"os": self.os, "architecture": self.architecture});
        if let Some(variant) = &self.variant {
            platform["variant"] = json!(variant);
        }
        if self.os == "windows" {
            platform["os.version"] = json!("10.0.20348.2582");
        }
        platform
    }

    /// The config blob.
    pub(super) fn config(&self) -> Vec<u8> {
        let draw = draw(&self.seed);
        let name = self.seed.split([':', '/']).next_back().unwrap_or_default();
        let secret = |what: &str| {
            format!(
                "{CANARY}{}",
                HEXLOWER.encode(&draw_bytes(&format!("{what}/{}", self.seed))[..6])
            )
        };
        let created = created(draw);
        let layers = self.layer_names();
        let diff_ids: Vec<_> = layers
            .iter()
            .map(|layer| Digest::sha256_of(format!("diff/{layer}").as_bytes()))
            .collect();
        let mut history: Vec<_> = layers
            .iter()
            .map(|layer| json!({"created": created, "created_by": format!("COPY {layer} /srv # buildkit")}))
            .collect();
        history.push(json!({
            "created": created,
            "created_by": format!("RUN |1 NPM_TOKEN={} /bin/sh -c npm ci # buildkit", secret("npm")),
            "empty_layer": true,
        }));
        let mut config = self.platform_json();
        config["created"] = json!(created);
        config["author"] = json!("Platform Team <platform@acme.example>");
        config["config"] = json!({
            "User": if draw.is_multiple_of(3) { "" } else { "10001:10001" },
            "ExposedPorts": {format!("{}/tcp", 8_000 + draw % 1_000): {}},
            "Env": [
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "LANG=C.UTF-8",
                format!("DATABASE_PASSWORD={}", secret("database")),
                format!("AWS_SECRET_ACCESS_KEY={}", secret("aws")),
            ],
            "Entrypoint": ["/usr/bin/tini", "--", "/srv/app"],
            "Cmd": ["serve"],
            "WorkingDir": "/srv",
            "Volumes": {"/var/lib/app": {}},
            "Labels": {
                "org.opencontainers.image.title": name,
                "org.opencontainers.image.source": "https://gitlab.acme.example/acme/shop",
                "org.opencontainers.image.revision": HEXLOWER.encode(&draw_bytes(&self.seed)[..20]),
                "org.opencontainers.image.created": created,
                "org.opencontainers.image.licenses": "Apache-2.0",
            },
        });
        config["rootfs"] = json!({"type": "layers", "diff_ids": diff_ids});
        config["history"] = json!(history);
        config.to_string().into_bytes()
    }

    /// The manifest over a config blob.
    pub(super) fn manifest(&self, config: &[u8]) -> Value {
        let (config_type, layer_type) = if self.docker {
            (
                MediaType::DOCKER_CONFIG,
                "application/vnd.docker.image.rootfs.diff.tar.gzip",
            )
        } else {
            (
                MediaType::OCI_CONFIG,
                "application/vnd.oci.image.layer.v1.tar+gzip",
            )
        };
        let layers: Vec<_> = self
            .layer_names()
            .iter()
            .map(|layer| descriptor(layer_type, layer))
            .collect();
        json!({
            "schemaVersion": 2,
            "mediaType": self.media_type(),
            "config": {
                "mediaType": config_type,
                "digest": Digest::sha256_of(config),
                "size": config.len(),
            },
            "layers": layers,
        })
    }
}

/// A descriptor of a blob that nobody fetches: digest and size drawn from `seed`.
pub(super) fn descriptor(media_type: &str, seed: &str) -> Value {
    json!({
        "mediaType": media_type,
        "digest": Digest::sha256_of(format!("layer/{seed}").as_bytes()),
        "size": 100_000 + draw(seed) % 60_000_000,
    })
}

/// A moment between 2024-01-01 and mid 2026, drawn.
pub(super) fn created(draw: u64) -> String {
    const START: i64 = 1_704_067_200;
    let offset = i64::try_from(draw % 78_000_000).unwrap_or(0);
    jiff::Timestamp::from_second(START + offset)
        .unwrap_or_default()
        .to_string()
}

/// A number that depends on `seed` alone.
pub(super) fn draw(seed: &str) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&draw_bytes(seed)[..8]);
    u64::from_le_bytes(bytes)
}

pub(super) fn draw_bytes(seed: &str) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, seed.as_bytes())
        .as_ref()
        .to_vec()
}
