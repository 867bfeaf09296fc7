//! Questions about the inventory.

use axum::http::{StatusCode, header};
use portolan_shared::model::Digest;
use serde_json::json;

use crate::shop::{Shop, close, commit};
use crate::world::World;

#[tokio::test]
async fn an_image_is_shown_with_layers_facts_and_referrers() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    let image = world
        .get("/api/v1/images?reference=gl/acme/shop:1.0")
        .await
        .json();
    assert_eq!(
        (&image["registry"], &image["repository"], &image["tag"]),
        (&json!("gl"), &json!("acme/shop"), &json!("1.0"))
    );
    assert_eq!(image["digest"], shop.image.to_string());
    assert_eq!((&image["kind"], &image["held"]), (&json!("image"), &json!(true)));
    assert_eq!(image["layers"][0]["size"], 1_000_000);
    assert_eq!(image["facts"]["platform"], "linux/amd64");
    assert_eq!(image["facts"]["labels"], json!({"team": "shop"}));
    assert_eq!(image["facts"]["environment"], json!(["TOKEN"]));
    assert!(
        !image.to_string().contains("hunter2"),
        "values of environment variables are not kept"
    );
    assert_eq!(image["referrers"][0]["digest"], shop.signature.to_string());
    assert_eq!(image["referrers"][0]["kind"], "notation_signature");

    let by_digest = format!("/api/v1/images?reference=gl/acme/shop@{}", shop.image);
    let same = world.get(&by_digest).await.json();
    assert_eq!((&same["digest"], &same["tag"]), (&image["digest"], &json!(null)));
    let nothing = format!(
        "/api/v1/images?reference=gl/acme/shop@{}",
        Digest::sha256_of(b"other")
    );
    assert_eq!(world.get(&nothing).await.refusal(), (404, "not_found".to_owned()));
    let latest = world.get("/api/v1/images?reference=gl/acme/shop").await;
    assert_eq!(latest.refusal(), (404, "not_found".to_owned()));
    assert!(latest.json()["message"].as_str().unwrap().contains(":latest"));
}

#[tokio::test]
async fn an_index_is_shown_with_its_platforms_and_each_can_be_chosen() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    let index = world
        .get("/api/v1/images?reference=gl/acme/shop:2.0")
        .await
        .json();
    assert_eq!(
        (&index["kind"], &index["digest"]),
        (&json!("index"), &json!(shop.index.to_string()))
    );
    let platforms = index["platforms"].as_array().unwrap();
    assert_eq!(
        (&platforms[0]["platform"], &platforms[1]["platform"]),
        (&json!("linux/amd64"), &json!("linux/arm64"))
    );
    assert_eq!(
        (&platforms[1]["layers"], &platforms[1]["created"]),
        (&json!(1), &json!("2026-05-01T10:00:00Z"))
    );
    assert!(platforms[1]["content_size"].as_u64().unwrap() > 1_000_000);

    let arm = world
        .get("/api/v1/images?reference=gl/acme/shop:2.0&platform=linux/aarch64")
        .await
        .json();
    assert_eq!(
        (&arm["kind"], &arm["facts"]["platform"]),
        (&json!("image"), &json!("linux/arm64"))
    );
    assert_eq!(arm["digest"], platforms[1]["digest"]);
    let none = world
        .get("/api/v1/images?reference=gl/acme/shop:2.0&platform=linux/s390x")
        .await;
    assert_eq!(none.refusal(), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn a_raw_manifest_is_exactly_what_the_registry_served() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    let raw = world.get("/api/v1/images/raw?reference=gl/acme/shop:1.0").await;
    assert_eq!(raw.bytes, shop.image_bytes);
    assert_eq!(shop.image.verify(&raw.bytes), Ok(()));
    assert_eq!(
        raw.header("docker-content-digest"),
        Some(shop.image.to_string().as_str())
    );
    assert_eq!(
        raw.header(header::CONTENT_TYPE),
        Some("application/vnd.oci.image.manifest.v1+json")
    );
    assert_eq!(
        raw.header(header::CONTENT_SECURITY_POLICY),
        Some("default-src 'none'; sandbox")
    );
}

#[tokio::test]
async fn content_that_is_not_held_is_told_from_what_does_not_exist() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    let fence = world.leased_run("gl", shop.sensor, shop.epoch).await;
    let unknown = Digest::sha256_of(b"never fetched");
    commit(&world, &fence, "acme/other", &[("1", &unknown)]).await;
    let shown = world.get("/api/v1/images?reference=gl/acme/other:1").await;
    assert_eq!(
        (shown.status, &shown.json()["held"]),
        (StatusCode::OK, &json!(false))
    );
    let raw = world.get("/api/v1/images/raw?reference=gl/acme/other:1").await;
    assert_eq!(raw.refusal(), (404, "content_unavailable".to_owned()));
}

#[tokio::test]
async fn references_are_read_by_registry_name_host_and_bare_name() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    for reference in [
        "gl/acme/shop:1.0",
        "registry.example.com:5050/acme/shop:1.0",
        "acme/shop:1.0",
    ] {
        let image = world.get(&format!("/api/v1/images?reference={reference}")).await;
        assert_eq!(image.json()["digest"], shop.image.to_string(), "{reference}");
    }
    // A second registry on the same host, with a repository of the same name.
    world
        .registry("mirror", "https://registry.example.com:5050", "berlin-1")
        .await;
    let fence = world.leased_run("mirror", shop.sensor, shop.epoch).await;
    commit(&world, &fence, "acme/shop", &[("1.0", &shop.image)]).await;
    close(&world, &fence, 1, 1).await;
    for reference in ["registry.example.com:5050/acme/shop:1.0", "acme/shop:1.0"] {
        let answer = world.get(&format!("/api/v1/images?reference={reference}")).await;
        assert_eq!(
            answer.refusal(),
            (409, "ambiguous_reference".to_owned()),
            "{reference}"
        );
        assert_eq!(
            answer.json()["details"]["candidates"],
            json!(["gl/acme/shop", "mirror/acme/shop"])
        );
    }
    assert_eq!(
        world
            .get("/api/v1/images?reference=mirror/acme/shop:1.0")
            .await
            .status,
        StatusCode::OK
    );
    let tags = world
        .get("/api/v1/tags?repository=acme/shop&registry=mirror")
        .await
        .json();
    assert_eq!(tags["items"][0]["reference"], "mirror/acme/shop:1.0");
    let bad = world.get("/api/v1/images?reference=gl/acme/shop:%20").await;
    assert_eq!(bad.refusal(), (422, "invalid".to_owned()));
}

#[tokio::test]
async fn a_path_prefix_belongs_to_the_host() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    world
        .registry("art", "https://art.example.com/artifactory/docker", "berlin-1")
        .await;
    let fence = world.leased_run("art", shop.sensor, shop.epoch).await;
    commit(&world, &fence, "team/api", &[("1", &shop.image)]).await;
    close(&world, &fence, 1, 1).await;
    let with_prefix = world
        .get("/api/v1/images?reference=ART.example.com:443/artifactory/docker/team/api:1")
        .await;
    assert_eq!(with_prefix.json()["repository"], "team/api");
    let without = world
        .get("/api/v1/images?reference=art.example.com/team/api:1")
        .await;
    assert_eq!(without.refusal(), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn history_tells_what_moved_and_when_it_can_have_happened() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    let first_seen = world.app.clock.now();
    world.clock.advance(std::time::Duration::from_secs(600));
    let fence = world.leased_run("gl", shop.sensor, shop.epoch).await;
    commit(&world, &fence, "acme/shop", &[("1.0", &shop.index)]).await;
    close(&world, &fence, 1, 1).await;

    let tag = world
        .get("/api/v1/history?reference=gl/acme/shop:1.0")
        .await
        .json();
    let rows = tag["items"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(
        (&rows[0]["change"], &rows[1]["change"]),
        (&json!("moved"), &json!("appeared"))
    );
    assert_eq!(
        (&rows[0]["from"], &rows[0]["to"]),
        (&json!(shop.image.to_string()), &json!(shop.index.to_string()))
    );
    assert_eq!(rows[0]["not_before"], first_seen.to_string());
    assert_eq!(rows[1]["not_before"], json!(null));
    assert_eq!(rows[0]["run"], fence.attempt.run.to_string());

    let all = world.get("/api/v1/history?reference=gl/acme/shop").await.json();
    let changes: Vec<_> = all["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["change"].as_str().unwrap())
        .collect();
    assert_eq!(changes.iter().filter(|change| **change == "vanished").count(), 1);
    assert_eq!(changes.len(), 4);
    let digest = world
        .get(&format!("/api/v1/history?reference=gl/acme/shop@{}", shop.image))
        .await;
    assert_eq!(digest.refusal(), (422, "invalid".to_owned()));
}

#[tokio::test]
async fn a_digest_is_found_wherever_it_is() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    let placed = world
        .get(&format!("/api/v1/placements?digest={}", shop.image))
        .await
        .json();
    let found: Vec<_> = placed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|place| {
            (
                place["reference"].as_str().unwrap(),
                place["via"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [("gl/acme/shop:1.0", "tag"), ("gl/acme/shop:2.0", "parent")]
    );
    let signature = world
        .get(&format!("/api/v1/placements?digest={}", shop.signature))
        .await
        .json();
    assert_eq!(signature["items"][0]["via"], "subject");
    let bad = world.get("/api/v1/placements?digest=sha256:12").await;
    assert_eq!(bad.refusal(), (422, "invalid".to_owned()));
}

#[tokio::test]
async fn repositories_are_filtered_and_summed() {
    let world = World::new().await;
    Shop::open(&world).await;
    let listed = world
        .get("/api/v1/repositories?registry=gl&contains=SHOP")
        .await
        .json();
    assert_eq!(
        (&listed["items"][0]["name"], &listed["items"][0]["tags"]),
        (&json!("acme/shop"), &json!(2))
    );
    assert_eq!(listed["items"][0]["outcome"], "listed");
    let none = world.get("/api/v1/repositories?contains=nothing").await.json();
    assert_eq!(none["items"], json!([]));
    // One that is named is the answer, or the question is refused: no filter is passed over.
    let named = "/api/v1/repositories?registry=gl&repository=acme/shop";
    let one = world.get(&format!("{named}&contains=&limit=1")).await.json();
    assert_eq!(one["items"][0]["name"], json!("acme/shop"));
    for (field, value) in [("contains", "nothing"), ("cursor", "x")] {
        let answer = world.get(&format!("{named}&{field}={value}")).await;
        assert_eq!(answer.refusal(), (422, "invalid".to_owned()), "{field}");
        assert_eq!(answer.json()["details"]["field"], field);
    }
    let totals = world.get("/api/v1/totals").await.json();
    assert_eq!(
        totals,
        json!({"registries": 1, "repositories": 1, "tags": 2, "manifests": 4})
    );
}
