//! Every operation of the document refuses strangers, small roles and other tenants, and answers in the form that the document describes.
//! A route without a row in the table fails.

use std::collections::BTreeSet;

use axum::http::{HeaderValue, Method, Request};
use portolan::web::api::document;
use portolan_shared::model::CredentialId;
use portolan_shared::process::SystemRng;
use serde_json::{Value, json};

use crate::conformity::conforms;
use crate::shop::Shop;
use crate::vault;
use crate::world::{Answer, World, request};

/// How an operation is asked for. `{run}` and the like are filled in with things of the tenant.
struct Row {
    operation: &'static str,
    path: &'static str,
    body: Option<Value>,
    /// What another tenant gets: the same as if nothing of this existed.
    neighbour: u16,
}

fn row(operation: &'static str, path: &'static str, neighbour: u16) -> Row {
    Row {
        operation,
        path,
        body: None,
        neighbour,
    }
}

fn with(body: Value, mut row: Row) -> Row {
    row.body = Some(body);
    row
}

/// Stands for the second version of the registry's credential.
const SEALED: &str = "{sealed}";

/// In an order in which those that destroy come last.
fn table() -> Vec<Row> {
    let registry = json!({"name": "new", "url": "https://new.example.com", "sensors": ["berlin-1"]});
    vec![
        row("whoami", "/whoami", 200),
        row("show_totals", "/totals", 200),
        row("show_status", "/status", 200),
        row("list_sensors", "/sensors", 200),
        row("show_sensor", "/sensors/{sensor}", 404),
        row("show_sealing_key", "/sensors/{sensor}/sealing-key", 404),
        row("list_credentials", "/credentials", 200),
        row("show_credential", "/registries/{registry}/credential", 404),
        with(
            json!(SEALED),
            row("put_credential", "/registries/{registry}/credential", 404),
        ),
        row(
            "revert_credential",
            "/registries/{registry}/credential/revert",
            404,
        ),
        row("remove_credential", "/registries/{registry}/credential", 404),
        row("tell_sensor_story", "/sensors/{sensor}/story", 404),
        row("list_invitations", "/invitations", 200),
        row("list_registries", "/registries", 200),
        row("show_registry", "/registries/{registry}", 404),
        row("show_registry_webhook", "/registries/{registry}/webhook", 404),
        row("list_runs", "/runs?registry=gl", 404),
        row("show_run", "/runs/{run}", 404),
        row("list_run_coverage", "/runs/{run}/coverage", 404),
        row("list_repositories", "/repositories", 200),
        row("list_tags", "/tags?repository=gl/acme/shop", 404),
        row("show_image", "/images?reference=gl/acme/shop:1.0", 404),
        row("show_raw_manifest", "/images/raw?reference=gl/acme/shop:1.0", 404),
        row("list_history", "/history?reference=gl/acme/shop", 404),
        row(
            "list_differences",
            "/registries/{registry}/changes?since=2026-01-01T00:00:00Z",
            404,
        ),
        row("follow_changes", "/changes?registry=gl", 404),
        row("show_retention", "/settings/retention", 200),
        with(
            json!({"history_days": 400, "runs_days": null}),
            row("replace_retention", "/settings/retention", 200),
        ),
        row("list_webhooks", "/webhooks", 200),
        row("show_webhook", "/webhooks/{webhook}", 404),
        row("show_webhook_keys", "/webhooks/{webhook}/signing-keys", 404),
        with(
            json!({"url": "https://hooks.example.com/y"}),
            row("change_webhook", "/webhooks/{webhook}", 404),
        ),
        row("pause_webhook", "/webhooks/{webhook}/pause", 404),
        row("resume_webhook", "/webhooks/{webhook}/resume", 404),
        row("rotate_webhook", "/webhooks/{webhook}/rotate", 404),
        row("test_webhook", "/webhooks/{webhook}/test", 404),
        row("list_deliveries", "/webhooks/{webhook}/deliveries", 404),
        row("remove_webhook", "/webhooks/{webhook}", 404),
        row("list_placements", "/placements?digest={image}", 404),
        row("list_tokens", "/tokens", 200),
        row("list_audit", "/audit", 200),
        row("list_audit_chain", "/audit/chain", 200),
        row("show_audit_head", "/audit/head", 200),
        row("list_audit_checkpoints", "/audit/checkpoints", 200),
        with(
            json!({"repositories": []}),
            row("queue_run", "/registries/{registry}/runs", 404),
        ),
        row("cancel_run", "/runs/{open_run}/cancel", 404),
        with(registry, row("create_registry", "/registries", 422)),
        with(
            json!({"concurrency": 4}),
            row("change_registry", "/registries/{registry}", 404),
        ),
        with(
            json!({"tags": ["!2.*"]}),
            row("preview_registry", "/registries/{registry}/preview", 404),
        ),
        row("pause_registry", "/registries/{registry}/pause", 404),
        row("resume_registry", "/registries/{registry}/resume", 404),
        row("preview_schedule", "/schedules/preview?expression=daily", 200),
        row("show_probe", "/probes/{probe}", 404),
        with(
            json!({}),
            row("probe_registry", "/registries/{registry}/probes", 404),
        ),
        with(
            json!({"url": "https://new.example.com", "sensors": ["berlin-1"]}),
            row("create_probe", "/probes", 422),
        ),
        // These three make something of the neighbour's own.
        with(
            json!({"name": "new", "url": "https://hooks.example.com/x"}),
            row("create_webhook", "/webhooks", 201),
        ),
        with(
            json!({"sensor_name": "new"}),
            row("create_invitation", "/invitations", 201),
        ),
        with(
            json!({"name": "new", "role": "viewer"}),
            row("create_token", "/tokens", 201),
        ),
        row("revoke_invitation", "/invitations/{invitation}", 404),
        row("revoke_token", "/tokens/{token}", 404),
        row("remove_registry", "/registries/{registry}", 404),
        row("suspend_sensor", "/sensors/{sensor}/suspend", 404),
        row("resume_sensor", "/sensors/{sensor}/resume", 404),
        row("approve_sensor", "/sensors/{sensor}/approve", 404),
        row("revoke_sensor", "/sensors/{sensor}/revoke", 404),
        row("delete_sensor", "/sensors/{sensor}", 404),
    ]
}

struct Operation {
    id: String,
    method: Method,
    role: String,
    responses: Value,
}

fn operations() -> Vec<Operation> {
    let document: Value = serde_json::from_str(document().as_str()).unwrap();
    let mut operations = Vec::new();
    for item in document["paths"].as_object().unwrap().values() {
        for (method, operation) in item.as_object().unwrap() {
            operations.push(Operation {
                id: operation["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase().parse().unwrap(),
                role: operation["x-required-role"].as_str().unwrap().to_owned(),
                responses: operation["responses"].clone(),
            });
        }
    }
    operations
}

async fn fill(world: &World, shop: &Shop) -> impl Fn(&str) -> String {
    let invited = world
        .post("/api/v1/invitations", json!({"sensor_name": "berlin-2"}))
        .await;
    let made = world
        .post("/api/v1/tokens", json!({"name": "spare", "role": "viewer"}))
        .await;
    world
        .registry("other", "https://other.example.com", "berlin-1")
        .await;
    let open = world.post("/api/v1/registries/other/runs", json!({})).await;
    let probe = world.post("/api/v1/registries/gl/probes", json!({})).await;
    let webhook = json!({"name": "deployer", "url": "https://hooks.example.com/x"});
    let webhook = world.post("/api/v1/webhooks", webhook).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let known = [
        ("{sensor}", shop.sensor.to_string()),
        ("{registry}", shop.registry.to_string()),
        ("{run}", shop.run.clone()),
        ("{open_run}", text(&open.json()["run"]["id"])),
        ("{image}", shop.image.to_string()),
        ("{invitation}", text(&invited.json()["id"])),
        ("{token}", text(&made.json()["id"])),
        ("{probe}", text(&probe.json()["id"])),
        ("{webhook}", text(&webhook.json()["webhook"]["id"])),
    ];
    move |path: &str| {
        let filled = known
            .iter()
            .fold(path.to_owned(), |path, (name, value)| path.replace(name, value));
        format!("/api/v1{filled}")
    }
}

/// Gives the registry a credential; gives its second version.
async fn credentials(world: &World, shop: &Shop) -> Value {
    let pair = vault::publish(world, shop.sensor).await;
    let (id, url) = (
        CredentialId::random(&SystemRng),
        "https://registry.example.com:5050",
    );
    let version = |number| {
        let binding = vault::binding(world, shop.registry, url, id, number);
        vault::sealed(&binding, &[(shop.sensor, &pair)])
    };
    let path = format!("/api/v1/registries/{}/credential", shop.registry);
    let first = world
        .ask(&world.admin, Method::PUT, &path, Some(version(1)))
        .await;
    assert!(first.status.is_success(), "{:?}", first.json());
    version(2)
}

/// With a fixed request id, so that answers can be compared whole.
async fn ask(world: &World, token: Option<&str>, method: &Method, path: &str, body: Option<Value>) -> Answer {
    let mut request: Request<_> = request(token, method.clone(), path, body);
    request
        .headers_mut()
        .insert("x-request-id", HeaderValue::from_static("compare"));
    world.send(request).await
}

#[test]
fn the_table_has_every_operation_of_the_document() {
    let documented: BTreeSet<_> = operations().into_iter().map(|operation| operation.id).collect();
    let tested: BTreeSet<_> = table().iter().map(|row| row.operation.to_owned()).collect();
    assert_eq!(documented, tested);
}

#[tokio::test]
async fn strangers_small_roles_and_other_tenants_are_refused_everywhere() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    let fill = fill(&world, &shop).await;
    let second = credentials(&world, &shop).await;
    let empty = World::new().await;
    let operations = operations();
    for mut row in table() {
        if row.body == Some(json!(SEALED)) {
            row.body = Some(second.clone());
        }
        let operation = operations
            .iter()
            .find(|operation| operation.id == row.operation)
            .unwrap();
        let (path, method) = (fill(row.path), &operation.method);
        let at = format!("{method} {path}");

        let forged = format!("{}x", &world.admin[..world.admin.len() - 1]);
        let refused = ask(&world, None, method, &path, row.body.clone()).await;
        for stranger in [None, Some(""), Some("ptl_api_nonsense"), Some(forged.as_str())] {
            let answer = ask(&world, stranger, method, &path, row.body.clone()).await;
            assert_eq!(answer.refusal(), (401, "unauthenticated".to_owned()), "{at}");
            assert!(
                answer.header("www-authenticate").unwrap().starts_with("Bearer"),
                "{at}"
            );
        }

        let roles = [
            ("viewer", &world.viewer),
            ("operator", &world.operator),
            ("admin", &world.admin),
        ];
        let needed = roles
            .iter()
            .position(|(role, _)| *role == operation.role)
            .unwrap();
        for (role, token) in &roles[..needed] {
            let answer = ask(&world, Some(token), method, &path, row.body.clone()).await;
            assert_eq!(answer.refusal(), (403, "forbidden".to_owned()), "{at} as {role}");
        }

        let theirs = ask(&world, Some(&world.neighbour), method, &path, row.body.clone()).await;
        let nobodys = ask(&empty, Some(&empty.neighbour), method, &path, row.body.clone()).await;
        assert_eq!(theirs.status.as_u16(), row.neighbour, "{at}: {:?}", theirs.json());
        assert_eq!(theirs.status, nobodys.status, "{at}");
        if row.neighbour != 201 {
            assert_eq!(theirs.json(), nobodys.json(), "{at}: tells that something exists");
        }

        let answer = ask(&world, Some(roles[needed].1), method, &path, row.body.clone()).await;
        assert!(
            answer.status.is_success(),
            "{at} as {}: {}",
            operation.role,
            String::from_utf8_lossy(&answer.bytes)
        );
        check_form(&operation.responses, &answer, &at);
        check_form(&operation.responses, &refused, &at);
    }
}

/// The document describes what was answered.
fn check_form(responses: &Value, answer: &Answer, at: &str) {
    let document: Value = serde_json::from_str(document().as_str()).unwrap();
    let status = answer.status.as_u16().to_string();
    let response = responses.get(&status).unwrap_or(&responses["default"]);
    let content = response["content"].as_object();
    let json = content.and_then(|content| content.get("application/json"));
    match json {
        Some(described) => conforms(&document, &described["schema"], &answer.json(), at),
        None if content.is_none() => assert!(answer.bytes.is_empty(), "{at}: a body that is not described"),
        None => {}
    }
}
