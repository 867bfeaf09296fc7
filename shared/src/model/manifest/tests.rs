//! Every kind of manifest that registries hold, the traps in them, and the bounds.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::model::{Digest, MediaType, TagName, limits};

const OCI: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

fn descriptor(media_type: &str, seed: &str, size: u64) -> Value {
    json!({"mediaType": media_type, "digest": Digest::sha256_of(seed.as_bytes()).to_string(), "size": size})
}

fn image(config: &str, layers: &[&str]) -> Value {
    let layers: Vec<Value> = layers.iter().map(|layer| descriptor(layer, layer, 100)).collect();
    json!({"schemaVersion": 2, "mediaType": OCI, "config": descriptor(config, "config", 10), "layers": layers})
}

fn read(value: &Value) -> Manifest {
    Manifest::parse(value.to_string().as_bytes(), None).unwrap()
}

#[test]
fn reads_the_reference_image_and_index() {
    let bytes = br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:53335d84e97889dc5f00af1bffa104aeab44003305259f9c7ee02acfabf1b49c","size":294},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:8498f3ef914e77deaa6b7da2c72a67dfa4274ce8b7803364727d1b474c7590b0","size":21}]}"#;
    assert_eq!(
        Digest::sha256_of(bytes).to_string(),
        "sha256:fbeba785391a3009a62758bd247cdb2142e1c7b8645b023c6f33c425b7dcd6ae"
    );
    let image = Manifest::parse(bytes, Some(&MediaType::OCI_MANIFEST)).unwrap();
    assert_eq!(
        (image.kind, image.content_size(), image.type_conflict),
        (ArtifactKind::Image, 315, false)
    );
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
        {"mediaType": OCI, "digest": Digest::sha256_of(bytes).to_string(), "size": 400, "platform": {"architecture": "amd64", "os": "linux"}}
    ]});
    let index = read(&index);
    assert_eq!(index.kind, ArtifactKind::Index);
    assert_eq!(
        index
            .platforms()
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        ["linux/amd64"]
    );
    assert_eq!(index.children[0].descriptor.digest, Digest::sha256_of(bytes));
}

#[test]
fn kinds_follow_media_types() {
    let typed = |artifact_type: &str| {
        let mut manifest = image("application/vnd.oci.empty.v1+json", &["application/octet-stream"]);
        manifest["artifactType"] = json!(artifact_type);
        read(&manifest).kind
    };
    let layered = |layer: &str| read(&image(OCI_CONFIG, &[layer])).kind;
    let configured = |config: &str| read(&image(config, &["application/octet-stream"])).kind;
    assert_eq!(layered(LAYER), ArtifactKind::Image);
    assert_eq!(
        configured("application/vnd.cncf.helm.config.v1+json"),
        ArtifactKind::HelmChart
    );
    assert_eq!(
        configured("application/vnd.docker.plugin.v1+json"),
        ArtifactKind::DockerPlugin
    );
    assert_eq!(
        configured("application/vnd.buildkit.cacheconfig.v0"),
        ArtifactKind::BuildCache
    );
    assert_eq!(
        configured("application/vnd.wasm.config.v0+json"),
        ArtifactKind::Wasm
    );
    assert_eq!(
        configured("application/vnd.example.thing.v1+json"),
        ArtifactKind::Artifact
    );
    assert_eq!(
        layered("application/vnd.dev.cosign.simplesigning.v1+json"),
        ArtifactKind::CosignSignature
    );
    assert_eq!(
        layered("application/vnd.dsse.envelope.v1+json"),
        ArtifactKind::Attestation
    );
    assert_eq!(layered("application/vnd.in-toto+json"), ArtifactKind::Attestation);
    assert_eq!(layered("text/spdx+json"), ArtifactKind::Sbom);
    assert_eq!(
        typed("application/vnd.cncf.notary.signature"),
        ArtifactKind::NotationSignature
    );
    assert_eq!(typed("application/spdx+json"), ArtifactKind::Sbom);
    assert_eq!(
        typed("application/vnd.dev.sigstore.bundle.v0.3+json"),
        ArtifactKind::CosignSignature
    );
    assert_eq!(
        typed("application/vnd.docker.attestation.manifest.v1+json"),
        ArtifactKind::Attestation
    );
    assert_eq!(
        typed("application/vnd.example.unheard-of"),
        ArtifactKind::Artifact
    );
    let mut bundle = image("application/vnd.oci.empty.v1+json", &["application/octet-stream"]);
    bundle["artifactType"] = json!("application/vnd.dev.sigstore.bundle.v0.3+json");
    bundle["annotations"] = json!({"dev.sigstore.bundle.predicateType": "https://slsa.dev/provenance/v1"});
    assert_eq!(read(&bundle).kind, ArtifactKind::Attestation);
    bundle["annotations"] = json!({"dev.sigstore.bundle.predicateType": "https://spdx.dev/Document"});
    assert_eq!(read(&bundle).kind, ArtifactKind::Sbom);
}

#[test]
fn attestations_are_never_platforms_and_cache_layers_never_manifests() {
    let mut attestation = descriptor(OCI, "attestation", 5);
    attestation["platform"] = json!({"os": "unknown", "architecture": "unknown"});
    attestation["annotations"] = json!({
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": Digest::sha256_of(b"image").to_string(),
    });
    let mut child = descriptor(OCI, "image", 5);
    child["platform"] = json!({"os": "linux", "architecture": "arm64", "variant": "v8"});
    let index = read(&json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [child, attestation]}));
    assert_eq!(
        index
            .platforms()
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        ["linux/arm64"]
    );
    assert_eq!(index.children[1].role, ChildRole::Attestation);
    assert_eq!(index.children[1].attests, Some(Digest::sha256_of(b"image")));

    let cache = read(&json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
        descriptor(LAYER, "a", 1), descriptor("application/vnd.buildkit.cacheconfig.v0", "b", 1)
    ]}));
    assert_eq!(cache.kind, ArtifactKind::BuildCache);
    assert!(
        cache
            .children
            .iter()
            .all(|child| child.role == ChildRole::CacheLayer)
    );
}

#[test]
fn schema_1_is_recorded_as_such() {
    let manifest = json!({
        "schemaVersion": 1, "name": "acme/old", "tag": "1", "architecture": "amd64",
        "fsLayers": [{"blobSum": Digest::sha256_of(b"l").to_string()}],
        "history": [{"v1Compatibility": "{\"os\":\"linux\",\"architecture\":\"arm64\"}"}],
        "signatures": [],
    });
    let manifest = read(&manifest);
    assert_eq!(
        (manifest.kind, manifest.layers.len()),
        (ArtifactKind::DockerSchema1, 1)
    );
    assert_eq!(manifest.platform.unwrap().to_string(), "linux/arm64");
}

#[test]
fn media_types_come_from_the_body_then_the_header_then_the_structure() {
    let mut bare = image(OCI_CONFIG, &[LAYER]);
    bare.as_object_mut().unwrap().remove("mediaType");
    assert_eq!(read(&bare).media_type, MediaType::OCI_MANIFEST);
    let served = Manifest::parse(bare.to_string().as_bytes(), Some(&MediaType::DOCKER_MANIFEST)).unwrap();
    assert_eq!(
        (served.media_type, served.type_conflict),
        (MediaType::DOCKER_MANIFEST, false)
    );
    let text = image(OCI_CONFIG, &[LAYER]).to_string();
    let conflict = Manifest::parse(text.as_bytes(), Some(&MediaType::DOCKER_MANIFEST)).unwrap();
    assert_eq!(
        (conflict.media_type, conflict.type_conflict),
        (MediaType::OCI_MANIFEST, true)
    );
    let web: MediaType = "text/plain".parse().unwrap();
    assert_eq!(
        Manifest::parse(text.as_bytes(), Some(&web)).unwrap().media_type,
        MediaType::OCI_MANIFEST
    );
    assert!(matches!(
        Manifest::parse(b"{}", None),
        Err(ManifestError::UnknownType(_))
    ));
    assert!(matches!(
        Manifest::parse(b"<html>", None),
        Err(ManifestError::Syntax(_))
    ));
}

#[test]
fn members_stop_at_their_bounds() {
    let index = |children: usize| {
        let children: Vec<Value> = (0..children)
            .map(|i| descriptor(OCI, &i.to_string(), 1))
            .collect();
        json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": children}).to_string()
    };
    assert!(Manifest::parse(index(limits::INDEX_CHILDREN).as_bytes(), None).is_ok());
    assert!(matches!(
        Manifest::parse(index(limits::INDEX_CHILDREN + 1).as_bytes(), None),
        Err(ManifestError::TooMany { what: "children", .. })
    ));
    let layered = |layers: usize| image(OCI_CONFIG, &vec![LAYER; layers]).to_string();
    assert!(Manifest::parse(layered(limits::LAYERS).as_bytes(), None).is_ok());
    assert!(Manifest::parse(layered(limits::LAYERS + 1).as_bytes(), None).is_err());
    let nested = "[".repeat(10_000);
    assert!(
        Manifest::parse(nested.as_bytes(), None).is_err(),
        "deep nesting is refused, not followed"
    );
    let annotated = |key: usize, value: usize| {
        let mut manifest = image(OCI_CONFIG, &[LAYER]);
        manifest["annotations"] = json!({"k".repeat(key): "v".repeat(value)});
        read(&manifest)
            .annotations
            .into_values()
            .next()
            .map(|value| value.len())
    };
    assert_eq!(annotated(limits::LABEL_KEY_BYTES, 1), Some(1));
    assert_eq!(annotated(limits::LABEL_KEY_BYTES + 1, 1), None);
    assert_eq!(
        annotated(1, limits::LABEL_VALUE_BYTES + 1),
        Some(limits::LABEL_VALUE_BYTES)
    );
}

#[test]
fn image_facts_leave_values_of_the_environment_behind() {
    let config = json!({
        "created": "2026-01-02T03:04:05Z", "architecture": "arm64", "os": "linux", "author": "someone",
        "config": {
            "User": "1000", "Env": ["PATH=/bin", "API_TOKEN=glpat-secret", "EMPTY"], "Entrypoint": ["/app"], "Cmd": null,
            "Labels": {"a": "b", "n": null}, "ExposedPorts": {"8080/tcp": {}}, "WorkingDir": "/srv", "Volumes": null,
        },
        "rootfs": {"type": "layers", "diff_ids": [Digest::sha256_of(b"l").to_string()]},
        "history": [{"created": "2026-01-02T03:04:05Z", "created_by": "RUN curl -H 'Token: s3cret'", "empty_layer": true}],
    });
    let facts = ImageFacts::from_config(config.to_string().as_bytes()).unwrap();
    assert_eq!(facts.environment, ["PATH", "API_TOKEN", "EMPTY"]);
    assert_eq!(facts.platform.as_ref().unwrap().to_string(), "linux/arm64");
    assert_eq!(
        (facts.ports.as_slice(), facts.labels.len()),
        (&["8080/tcp".to_owned()][..], 1)
    );
    let json = String::from_utf8(facts.to_json()).unwrap();
    assert!(
        !json.contains("glpat-secret") && !json.contains("s3cret"),
        "{json}"
    );
    assert_eq!(serde_json::from_str::<ImageFacts>(&json).unwrap(), facts);

    let epoch =
        ImageFacts::from_config(br#"{"created":"1970-01-01T00:00:00Z","config":{"Entrypoint":"/bin/sh"}}"#)
            .unwrap();
    assert_eq!(
        (epoch.created, epoch.entrypoint.as_slice()),
        (None, &["/bin/sh".to_owned()][..])
    );
    assert!(ImageFacts::from_config(b"[]").is_err());
}

#[test]
fn image_facts_always_fit() {
    let labels: serde_json::Map<String, Value> = (0..200)
        .map(|i| (format!("label{i}"), json!("v".repeat(4_000))))
        .collect();
    let config = json!({"os": "linux", "architecture": "amd64", "config": {"Labels": labels}});
    let json = ImageFacts::from_config(config.to_string().as_bytes())
        .unwrap()
        .to_json();
    assert!(json.len() <= limits::IMAGE_FACTS_BYTES);
    let kept: ImageFacts = serde_json::from_slice(&json).unwrap();
    assert!(kept.cut && kept.platform.is_some());
    let many: Vec<String> = (0..5_000).map(|i| format!("{i}{}", "x".repeat(1_000))).collect();
    let config = json!({"config": {"Cmd": many, "Entrypoint": many}, "history": vec![json!({"created": "x".repeat(60)}); 5_000]});
    let json = ImageFacts::from_config(config.to_string().as_bytes())
        .unwrap()
        .to_json();
    assert!(json.len() <= limits::IMAGE_FACTS_BYTES, "{}", json.len());
}

#[test]
fn tags_that_speak_of_a_digest_are_known() {
    let hex = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    let subject = |tag: String| subject_of_tag(&tag.parse::<TagName>().unwrap());
    for suffix in ["", ".sig", ".att", ".sbom"] {
        assert_eq!(
            subject(format!("sha256-{hex}{suffix}")),
            Some(Digest::sha256_of(b"{}"))
        );
    }
    assert_eq!(subject("latest".into()), None);
    assert_eq!(subject(format!("sha256-{}", &hex[1..])), None);
    assert_eq!(subject("v1-rc".into()), None);
}

proptest! {
    #[test]
    fn no_input_panics(bytes: Vec<u8>, text in "\\{\"[a-z]{0,9}\":.{0,40}\\}") {
        for input in [bytes.as_slice(), text.as_bytes()] {
            let _ = Manifest::parse(input, Some(&MediaType::OCI_INDEX));
            let _ = Manifest::parse(input, Some(&MediaType::DOCKER_SCHEMA1));
            let _ = ImageFacts::from_config(input).map(|facts| facts.to_json());
        }
    }
}
