//! What answers in the registry's place, and how well.

use std::sync::Arc;

use http::StatusCode;
use portolan_doubles::faults::{Fault, Rule};
use portolan_doubles::registry::{Behaviour, BlobServing, Flavour, Paging};
use portolan_doubles::tls::LeafFault;
use portolan_doubles::web::GitLab;
use portolan_doubles::{Content, MiddleBox, RegistryDouble};
use portolan_registry::Purpose;
use portolan_shared::model::{Diagnosis, FindingCode, Stage};
use portolan_shared::process::{Clock as _, ManualClock, SystemClock};

use crate::scene::{
    PickyGate, Scene, closed_port, examine, examine_repository, found, provoked, report, with_login,
};
use crate::scripted;

provoked! {
    nothing_at_v2: ApiMissing at Api = middle_box(StatusCode::NOT_FOUND);
    a_teapot: Protocol at Api = middle_box(StatusCode::IM_A_TEAPOT);
    a_login_page: WebPage at Api = instead(Fault::Answer { status: 200, code: "", retry_after: None });
    gitlabs_web_address: GitLabWebAddress at Api = web_address(false);
    gitlabs_sign_in_page: GitLabWebAddress at Api = web_address(true);
    gitlab_without_a_registry: GitLabRegistryDisabled at Token = registry_disabled();
    the_clocks_differ: ClockSkew at Token = clocks_differ();
    too_many_requests: RateLimited at Api = instead(Fault::too_many(1));
    nothing_is_left_for_today: BudgetSpent at Api = nothing_left();
    a_server_that_is_ill: Unavailable at Api = instead(Fault::unavailable());
    an_answer_without_end: TooLarge at Api = instead(Fault::Endless);
    storage_that_no_entry_allows: RedirectRefused at Config = storage_refused();
    storage_that_is_away: StorageUnreachable at Config = storage_at(None);
    storage_of_another_authority: StorageUntrusted at Config = storage_at(Some(LeafFault::SelfSigned));
    a_proxy_drops_accept: AcceptStripped at Manifest = accept_stripped();
    links_that_name_another_host: ForwardedHeaders at Tags = wrong_links();
}

async fn middle_box(status: StatusCode) -> Diagnosis {
    let scene = Scene::new();
    let server = MiddleBox::start(None, status, &scene.tasks).await.unwrap();
    let diagnosis = examine(scene.access(&format!("http://{}", server.address()))).await;
    let seen = report(&diagnosis, Stage::Api).seen.join("\n");
    assert!(
        seen.contains("https://127.0.0.1:5050"),
        "other places are named: {seen}"
    );
    assert!(!diagnosis.is_sound());
    diagnosis
}

async fn instead(fault: Fault) -> Diagnosis {
    let scene = Scene::new();
    let registry = RegistryDouble::builder(Content::gitlab_fixture())
        .start(None, &scene.tasks)
        .await
        .unwrap();
    registry.faults().add(Rule::all(), fault);
    let diagnosis = examine(scene.access(&registry.url())).await;
    assert!(!diagnosis.is_sound(), "{diagnosis:#?}");
    diagnosis
}

async fn web_address(signs_in: bool) -> Diagnosis {
    let scene = Scene::new();
    let gitlab = scene.gitlab().await;
    gitlab.web().switch(|switches| switches.signs_in = signs_in);
    let full = GitLab::FULL;
    let diagnosis = examine(with_login(scene.access(gitlab.web_url()), full)).await;
    let seen = &found(&diagnosis, Stage::Api, FindingCode::GitLabWebAddress).seen;
    assert!(
        seen.contains(gitlab.image_prefix()),
        "the real registry is named: {seen}"
    );
    diagnosis
}

async fn registry_disabled() -> Diagnosis {
    let scene = Scene::new();
    let gitlab = scene.gitlab().await;
    gitlab.web().switch(|switches| switches.registry_enabled = false);
    scene.examine_as(&gitlab, GitLab::FULL).await
}

async fn clocks_differ() -> Diagnosis {
    let scene = Scene::new();
    let gitlab = scene.gitlab().await;
    let clock = ManualClock::at_unix_seconds(SystemClock.now().as_second() + 7_200);
    let mut access = with_login(scene.access(&gitlab.registry_url()), GitLab::FULL);
    access.clock = Arc::new(clock);
    let diagnosis = examine(access).await;
    let seen = &report(&diagnosis, Stage::Token).findings[0].seen;
    assert!(seen.contains("s behind this machine's"), "{seen}");
    diagnosis
}

async fn nothing_left() -> Diagnosis {
    let scene = Scene::new();
    let gitlab = scene.gitlab().await;
    let mut access = scene.access(&gitlab.registry_url());
    access.requests_left = Some(0);
    let diagnosis = examine(access).await;
    assert_eq!(gitlab.registry().log().total(), 0);
    diagnosis
}

async fn storage_refused() -> Diagnosis {
    let scene = Scene::new();
    let registry = RegistryDouble::builder(Content::gitlab_fixture())
        .behaviour(Behaviour {
            flavour: Flavour::Plain,
            blobs: BlobServing::Redirect,
            ..Behaviour::default()
        })
        .start(None, &scene.tasks)
        .await
        .unwrap();
    let mut access = scene.access(&registry.url());
    access.gate = Arc::new(PickyGate {
        refused: vec![Purpose::Storage],
        loopback: true,
        ..PickyGate::default()
    });
    let diagnosis = examine(access).await;
    let config = report(&diagnosis, Stage::Config);
    let storage = registry.storage_address().to_string();
    assert!(
        config.seen[0].contains(&storage),
        "the storage is named: {config:?}"
    );
    assert_eq!(registry.storage_log().total(), 0);
    diagnosis
}

/// Blobs are elsewhere: at a server with this certificate, or where nobody listens.
async fn storage_at(fault: Option<LeafFault>) -> Diagnosis {
    let scene = Scene::new();
    let registry = RegistryDouble::builder(Content::gitlab_fixture())
        .start(Some(scene.server(None)), &scene.tasks)
        .await
        .unwrap();
    let elsewhere = match fault {
        Some(fault) => {
            let tls = scene.server(Some(fault));
            Some(
                MiddleBox::start(Some(tls), StatusCode::OK, &scene.tasks)
                    .await
                    .unwrap(),
            )
        }
        None => None,
    };
    let address = elsewhere.as_ref().map_or_else(closed_port, MiddleBox::address);
    let location = format!("https://{address}/bucket/blob?X-Amz-Signature=hidden");
    registry.faults().add(
        Rule::on("/blobs/"),
        Fault::Redirect {
            status: 307,
            location,
        },
    );
    let diagnosis = examine(scene.access(&registry.url())).await;
    let text = serde_json::to_string(&diagnosis).unwrap();
    assert!(
        text.contains(&address.to_string()) && !text.contains("hidden"),
        "{text}"
    );
    diagnosis
}

async fn accept_stripped() -> Diagnosis {
    let scene = Scene::new();
    let url = scripted::registry(&scene.tasks, |_, path| {
        let message = "OCI manifest found, but accept header does not support OCI manifests";
        path.contains("/manifests/")
            .then(|| scripted::Answer::error(404, "MANIFEST_UNKNOWN", message))
    })
    .await;
    examine(scene.access(&url)).await
}

async fn wrong_links() -> Diagnosis {
    let scene = Scene::new();
    let registry = RegistryDouble::builder(Content::gitlab_fixture())
        .behaviour(Behaviour {
            flavour: Flavour::Plain,
            paging: Paging::WrongHost,
            ..Behaviour::default()
        })
        .start(None, &scene.tasks)
        .await
        .unwrap();
    let diagnosis = examine_repository(scene.access(&registry.url()), "acme/shop/api").await;
    assert!(diagnosis.is_sound(), "nothing is lost by it: {diagnosis:#?}");
    diagnosis
}

#[tokio::test]
async fn other_places_are_named_and_contacted_only_where_that_is_allowed() {
    let scene = Scene::new();
    let server = MiddleBox::start(None, StatusCode::NOT_FOUND, &scene.tasks)
        .await
        .unwrap();
    let mut access = scene.access(&format!("http://{}", server.address()));
    access.gate = Arc::new(PickyGate {
        loopback: true,
        only: Some(server.address().port()),
        ..PickyGate::default()
    });
    let diagnosis = examine(access).await;
    let seen = &report(&diagnosis, Stage::Api).seen;
    let places: Vec<&String> = seen.iter().filter(|line| line.starts_with("https://")).collect();
    assert_eq!(places.len(), 2, "{seen:?}");
    assert!(
        places.iter().all(|line| line.contains("but not contacted")),
        "{seen:?}"
    );
}
