//! A company's registry in small: what the demonstration and most end-to-end tests run against.

use portolan_shared::model::Digest;

use super::image::{Image, SharedBase, draw_bytes};
use super::shelf::{Attested, Shelf};
use super::store::Content;

const PRODUCTS: [&str; 5] = ["shop", "billing", "identity", "search", "logistics"];
const COMMON: [&str; 2] = ["linux/amd64", "linux/arm64"];
const MANY: [&str; 4] = ["linux/amd64", "linux/arm64", "linux/arm/v7", "linux/s390x"];

impl Content {
    /// About 40 repositories and 600 tags under GitLab-like paths: applications, base images and their mirrors, charts, tools with
    /// signatures and bills of materials, caches, modules, policies, one repository without tags. No schema 1, which GitLab
    /// refuses to serve; [`Content::every_kind`] has it.
    #[must_use]
    pub fn demo() -> Self {
        let mut content = Self::new();
        for product in PRODUCTS {
            for part in ["api", "web", "worker"] {
                application(
                    &mut content.shelf(&format!("acme/{product}/{part}")),
                    product,
                    part,
                );
            }
            let mut charts = content.shelf(&format!("acme/charts/{product}"));
            for release in 0..14 {
                let version = format!("2.{release}.0");
                let chart = charts.helm_chart(product, &version);
                charts.tag(&version, &chart);
            }
        }
        for (name, base) in [
            ("debian", SharedBase::Debian),
            ("alpine", SharedBase::Alpine),
            ("node", SharedBase::Debian),
            ("python", SharedBase::Alpine),
        ] {
            base_image(&mut content.shelf(&format!("acme/base/{name}")), name, base);
            let source = format!("acme/base/{name}");
            let tags: Vec<_> = content
                .repository(&source)
                .map(|r| r.tags().keys().cloned().collect())
                .unwrap_or_default();
            let mut mirror = content.shelf(&format!("acme/mirror/{name}"));
            for tag in tags {
                mirror.mirror(&source, tag.as_str());
            }
        }
        for tool in ["ci-runner", "linter", "migrator", "backup"] {
            tool_image(&mut content.shelf(&format!("acme/tools/{tool}")), tool);
        }
        others(&mut content);
        content
    }

    /// One repository, `acme/kinds`, with one tag per kind of thing that a registry can hold, named after the kind. With `schema1`
    /// also the one that few servers still serve.
    #[must_use]
    pub fn every_kind(schema1: bool) -> Self {
        let mut content = Self::new();
        let mut shelf = content.shelf("acme/kinds");
        let image = Image::new("kinds");
        let plain = shelf.image(&image);
        let index = shelf.multi_arch(&image, &MANY, Attested::AsArtifact);
        let mut things: Vec<(&str, Digest)> = vec![
            ("image", plain.clone()),
            ("index", index.clone()),
            ("docker-image", shelf.image(&image.clone().docker())),
            (
                "docker-list",
                shelf.multi_arch(&image.clone().docker(), &COMMON, Attested::No),
            ),
            (
                "old-attestations",
                shelf.multi_arch(&Image::new("kinds/old"), &COMMON, Attested::WithImageConfig),
            ),
            ("untyped", shelf.untyped("kinds/untyped")),
            ("helm-chart", shelf.helm_chart("kinds", "1.0.0")),
            ("cosign-bundle", shelf.cosign_bundle(&plain)),
            ("provenance-bundle", shelf.provenance_bundle(&plain)),
            ("notation-signature", shelf.notation_signature(&plain)),
            ("sbom", shelf.sbom(&plain)),
            ("attestation", shelf.attestation(&plain)),
            ("build-cache", shelf.build_cache("kinds/cache")),
            ("build-cache-index", shelf.build_cache_index("kinds/cache-index")),
            ("wasm", shelf.wasm("kinds/wasm")),
            (
                "artifact",
                shelf.artifact("application/vnd.acme.policy.v1", "kinds/artifact"),
            ),
        ];
        things.push(("nested-index", shelf.index(&[index, plain.clone()])));
        if schema1 {
            things.push(("schema1", shelf.schema1("kinds/schema1")));
        }
        for (tag, digest) in things {
            shelf.tag(tag, &digest);
        }
        shelf.cosign_signature(&plain);
        shelf.cosign_attestation(&plain);
        shelf.cosign_sbom(&plain);
        shelf.fallback_tags();
        content
    }
}

/// Seven releases with moving `1.N` tags, six builds of the main branch, the newest being `latest` too; the last release signed.
fn application(shelf: &mut Shelf<'_>, product: &str, part: &str) {
    let build = |shelf: &mut Shelf<'_>, version: &str| {
        let image = Image::new(&format!("{product}/{part}:{version}"));
        match part {
            "api" => shelf.multi_arch(&image, &COMMON, Attested::AsArtifact),
            "web" => shelf.multi_arch(&image, &COMMON, Attested::WithImageConfig),
            _ => shelf.image(&image.docker()),
        }
    };
    for release in 0..7 {
        let version = format!("1.{release}.0");
        let digest = build(shelf, &version);
        shelf.tag(&version, &digest).tag(&format!("1.{release}"), &digest);
        if release == 6 {
            shelf.cosign_signature(&digest);
        }
    }
    for number in 0..6 {
        let commit = data_encoding::HEXLOWER.encode(&draw_bytes(&format!("{product}/{part}/{number}"))[..4]);
        let digest = build(shelf, &commit);
        shelf
            .tag(&format!("main-{commit}"), &digest)
            .tag("latest", &digest);
    }
}

/// Four releases for many platforms, each under three tags.
fn base_image(shelf: &mut Shelf<'_>, name: &str, base: SharedBase) {
    for release in 10..14 {
        let image = Image::new(&format!("base/{name}:{release}")).base(base).layers(1);
        let digest = shelf.multi_arch(&image, &MANY, Attested::No);
        for tag in [
            format!("{release}"),
            format!("{release}-slim"),
            format!("{release}.0"),
        ] {
            shelf.tag(&tag, &digest);
        }
    }
}

/// Ten releases for one platform; the last three signed and described by referrers, found by the fallback tags.
fn tool_image(shelf: &mut Shelf<'_>, tool: &str) {
    for release in 0..10 {
        let version = format!("0.{release}.0");
        let digest = shelf.image(&Image::new(&format!("tools/{tool}:{version}")).base(SharedBase::Alpine));
        shelf.tag(&version, &digest);
        if release >= 7 {
            shelf.cosign_bundle(&digest);
            shelf.notation_signature(&digest);
            shelf.sbom(&digest);
            shelf.attestation(&digest);
        }
    }
    shelf.fallback_tags();
}

fn others(content: &mut Content) {
    for (name, kind) in [
        ("policies", "application/vnd.cncf.openpolicyagent.config.v1+json"),
        ("models", "application/vnd.acme.model.v1"),
        ("flux", "application/vnd.cncf.flux.config.v1+json"),
    ] {
        let mut shelf = content.shelf(&format!("acme/artifacts/{name}"));
        for release in 0..8 {
            let artifact = shelf.artifact(kind, &format!("{name}/{release}"));
            shelf.tag(&format!("2026.{release}"), &artifact);
        }
    }
    let mut filters = content.shelf("acme/edge/filters");
    for release in 0..6 {
        let module = filters.wasm(&format!("filters/{release}"));
        filters.tag(&format!("0.{release}"), &module);
    }
    let mut gateway = content.shelf("acme/edge/gateway");
    for release in 0..10 {
        let image = Image::new(&format!("edge/gateway:{release}")).base(SharedBase::None);
        let digest = gateway.multi_arch(&image, &["linux/amd64", "windows/amd64"], Attested::No);
        gateway.tag(&format!("3.{release}"), &digest);
    }
    for product in ["shop", "billing"] {
        let mut cache = content.shelf(&format!("acme/{product}/cache"));
        for branch in ["main", "release"] {
            let (index, manifest) = (
                cache.build_cache_index(&format!("{product}/{branch}")),
                cache.build_cache(&format!("{product}/{branch}/image")),
            );
            cache
                .tag(&format!("buildcache-{branch}"), &index)
                .tag(&format!("buildcache-{branch}-image"), &manifest);
        }
    }
    let mut bundles = content.shelf("acme/bundles/platform");
    for release in 0..5 {
        let parts: Vec<_> = ["gateway", "agent"]
            .iter()
            .map(|part| {
                bundles.multi_arch(
                    &Image::new(&format!("bundles/{part}:{release}")),
                    &COMMON,
                    Attested::No,
                )
            })
            .collect();
        let bundle = bundles.index(&parts);
        bundles.tag(&format!("5.{release}"), &bundle);
    }
    content.shelf("acme/archive/empty");
}
