//! What is no image: charts, caches, modules, and whatever else people push.

use portolan_shared::model::{Digest, MediaType};
use serde_json::{Value, json};

use super::image::{created, descriptor, draw};
use super::shelf::{Shelf, empty_descriptor};

impl Shelf<'_> {
    /// A manifest with a config blob of its own type and these layers.
    fn with_config(
        &mut self,
        config_type: &str,
        config: &Value,
        layers: &[Value],
        annotations: &Value,
    ) -> Digest {
        let config = config.to_string();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MediaType::OCI_MANIFEST,
            "config": {
                "mediaType": config_type,
                "digest": Digest::sha256_of(config.as_bytes()),
                "size": config.len(),
            },
            "layers": layers,
            "annotations": annotations,
        });
        self.blob(config);
        self.manifest(&MediaType::OCI_MANIFEST, &manifest)
    }

    /// A Helm chart, as `helm push` stores it.
    pub fn helm_chart(&mut self, name: &str, version: &str) -> Digest {
        let seed = format!("chart/{name}/{version}");
        let config = json!({
            "name": name,
            "version": version,
            "appVersion": version,
            "description": format!("Deploys {name}"),
            "apiVersion": "v2",
            "type": "application",
            "dependencies": [{"name": "common", "version": "2.x.x", "repository": "oci://registry.acme.example/charts"}],
        });
        let layer = descriptor("application/vnd.cncf.helm.chart.content.v1.tar+gzip", &seed);
        let annotations = json!({
            "org.opencontainers.image.title": name,
            "org.opencontainers.image.version": version,
            "org.opencontainers.image.created": created(draw(&seed)),
        });
        self.with_config(
            "application/vnd.cncf.helm.config.v1+json",
            &config,
            &[layer],
            &annotations,
        )
    }

    /// A WebAssembly module.
    pub fn wasm(&mut self, seed: &str) -> Digest {
        let config = json!({
            "created": created(draw(seed)),
            "architecture": "wasm",
            "os": "wasip2",
            "layerDigests": [Digest::sha256_of(seed.as_bytes())],
        });
        let layer = descriptor("application/vnd.wasm.content.layer.v1+wasm", seed);
        self.with_config(
            "application/vnd.wasm.config.v0+json",
            &config,
            &[layer],
            &json!({}),
        )
    }

    /// Anything else, with its own artifact type and an empty config (image-spec 1.1, "Guidelines for Artifact Usage").
    pub fn artifact(&mut self, artifact_type: &str, seed: &str) -> Digest {
        self.blob("{}");
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MediaType::OCI_MANIFEST,
            "artifactType": artifact_type,
            "config": empty_descriptor(),
            "layers": [descriptor("application/octet-stream", seed)],
            "annotations": {"org.opencontainers.image.created": created(draw(seed))},
        });
        self.manifest(&MediaType::OCI_MANIFEST, &manifest)
    }

    /// A build cache as BuildKit exports it by default: an index whose children are blobs.
    pub fn build_cache_index(&mut self, seed: &str) -> Digest {
        let layer = |at: u32| {
            descriptor(
                "application/vnd.oci.image.layer.v1.tar+gzip",
                &format!("{seed}/{at}"),
            )
        };
        let mut children: Vec<_> = (0..5).map(layer).collect();
        let config = self.cache_config(seed);
        children.push(config);
        self.index_of(&MediaType::OCI_INDEX, &children)
    }

    /// A build cache as BuildKit exports it with `image-manifest=true`.
    pub fn build_cache(&mut self, seed: &str) -> Digest {
        let layer = |at: u32| {
            descriptor(
                "application/vnd.oci.image.layer.v1.tar+gzip",
                &format!("{seed}/{at}"),
            )
        };
        let layers: Vec<_> = (0..5).map(layer).collect();
        let config = self.cache_config(seed);
        let manifest = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST, "config": config, "layers": layers});
        self.manifest(&MediaType::OCI_MANIFEST, &manifest)
    }

    fn cache_config(&mut self, seed: &str) -> Value {
        let config =
            json!({"layers": [{"blob": Digest::sha256_of(seed.as_bytes()), "parent": -1}], "records": []});
        let config = config.to_string();
        let size = config.len();
        let digest = self.blob(config);
        json!({"mediaType": "application/vnd.buildkit.cacheconfig.v0", "digest": digest, "size": size})
    }

    /// An image in Docker's schema 1, unsigned, so that its digest is that of its bytes.
    pub fn schema1(&mut self, seed: &str) -> Digest {
        let top = json!({
            "id": Digest::sha256_of(seed.as_bytes()).to_string().trim_start_matches("sha256:"),
            "created": "2015-09-21T20:15:47Z",
            "os": "linux",
            "architecture": "amd64",
            "config": {"Cmd": ["/bin/sh"]},
        });
        let blob = descriptor("application/octet-stream", seed)["digest"].clone();
        let manifest = json!({
            "schemaVersion": 1,
            "name": self.name,
            "tag": "legacy",
            "architecture": "amd64",
            "fsLayers": [{"blobSum": blob}],
            "history": [{"v1Compatibility": top.to_string()}],
        });
        self.manifest(&MediaType::DOCKER_SCHEMA1, &manifest)
    }

    /// An image manifest that does not name its own media type, which image-spec allows.
    pub fn untyped(&mut self, seed: &str) -> Digest {
        let image = super::Image::new(seed);
        let config = image.config();
        let mut manifest = image.manifest(&config);
        if let Some(members) = manifest.as_object_mut() {
            members.remove("mediaType");
        }
        self.blob(config);
        self.manifest(&MediaType::OCI_MANIFEST, &manifest)
    }
}
