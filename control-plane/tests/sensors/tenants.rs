//! Tenants see nothing of each other.

use std::time::Duration;

use portolan_proto::v1;
use portolan_proto::v1::upload_client::UploadClient;
use portolan_shared::model::{AttemptRef, Digest, Reason, RunId, TenantId};
use portolan_shared::process::SystemRng;
use portolan_store::{AuditSeverity, Role, Tenant};
use tokio_stream::iter;
use tonic::Status;
use tonic::transport::Channel;

use crate::scene::{Scene, eventually, reason};
use crate::sensor::Sensor;
use crate::session::{hello, open};
use crate::upload::{MANIFEST, Work, close, fence, manifest, tags};

/// Makes another tenant; from now on the scene's administrator is that tenant's.
async fn move_to_another_tenant(scene: &mut Scene) {
    let app = scene.app();
    let other = TenantId::generate(app.clock.as_ref(), app.rng.as_ref());
    let tenant = Tenant {
        id: other,
        name: "other".into(),
        created_at: app.clock.now(),
    };
    app.store.add_tenant(&tenant).await.unwrap();
    let (_, token) = app
        .mint_api_token(other, "admin", Role::Admin, None)
        .await
        .unwrap();
    scene.admin = scene.app().authenticate(token.expose(), None).await.unwrap();
}

/// Every call of the service with this fence.
async fn every_call(upload: &mut UploadClient<Channel>, fence: &v1::Fence) -> Vec<Status> {
    let fence = || Some(fence.clone());
    let repositories = vec!["acme/app".to_owned()];
    let state = v1::RepositoryState {
        repository: "acme/app".into(),
        state_hash: vec![0; 32].into(),
        tags: 1,
        listed_seconds_ago: 0,
    };
    let outcomes = vec![
        upload
            .pending_repositories(v1::PendingRepositoriesRequest {
                fence: fence(),
                repositories,
            })
            .await
            .err(),
        upload
            .offer_repositories(v1::OfferRepositoriesRequest {
                fence: fence(),
                repositories: vec![state],
            })
            .await
            .err(),
        upload
            .offer_digests(v1::OfferDigestsRequest {
                fence: fence(),
                kind: v1::ContentKind::Manifest.into(),
                digests: vec![Digest::sha256_of(MANIFEST).to_bytes().into()],
            })
            .await
            .err(),
        upload
            .put_content(iter([v1::PutContentRequest {
                fence: fence(),
                items: vec![manifest(MANIFEST)],
            }]))
            .await
            .err(),
        upload
            .put_content(iter([v1::PutContentRequest {
                fence: fence(),
                items: vec![v1::ContentItem {
                    digest: Digest::sha256_of(b"other").to_bytes().into(),
                    ..manifest(MANIFEST)
                }],
            }]))
            .await
            .err(),
        upload
            .commit_repository(iter([tags(&fence().unwrap(), &["1.0"], "listed")]))
            .await
            .err(),
        upload
            .report_coverage(v1::ReportCoverageRequest {
                fence: fence(),
                entries: vec![v1::CoverageEntry {
                    repository: "acme/app".into(),
                    outcome: "denied".into(),
                    finding: None,
                }],
                filtered: Vec::new(),
            })
            .await
            .err(),
        upload.close_run(close(&fence().unwrap())).await.err(),
    ];
    outcomes.into_iter().map(Option::unwrap).collect()
}

#[tokio::test]
async fn t30_attempts_of_another_tenant_are_as_unknown_as_those_that_never_were() {
    let mut scene = Scene::new().await;
    let victim = Sensor::enrol(&scene, "berlin").await;
    let work = Work::begin(&scene, &victim, "berlin").await;
    let before = scene.run(work.attempt.run).await;
    let owner = scene.admin.clone();

    move_to_another_tenant(&mut scene).await;
    let intruder = Sensor::enrol(&scene, "berlin").await;
    assert_ne!(intruder.tenant, victim.tenant);
    let mut session = open(&scene, &intruder).await;
    let epoch = session.hello(hello(&[work.attempt])).await;
    assert!(
        !epoch.verdicts[0].keep,
        "the other tenant's attempt is not carried over"
    );
    let mut upload = intruder.upload(&scene).await;
    let never = AttemptRef {
        run: RunId::random(&SystemRng),
        attempt: 1,
    };
    let foreign = every_call(&mut upload, &fence(work.attempt, epoch.session_epoch)).await;
    let unknown = every_call(&mut upload, &fence(never, epoch.session_epoch)).await;
    for (i, (foreign, unknown)) in foreign.iter().zip(&unknown).enumerate() {
        assert_eq!(reason(foreign), Reason::StaleAttempt, "call {i}");
        assert_eq!(
            (foreign.code(), foreign.message()),
            (unknown.code(), unknown.message()),
            "call {i}"
        );
    }
    session.heartbeat(&[work.attempt]).await;
    assert!(session.ack().await.renewed.is_empty());
    for body in [
        v1::sensor_message::Body::JobDone(v1::JobDone {
            attempt: Some(work.attempt.into()),
            reason: v1::Reason::Internal.into(),
            finding: None,
        }),
        v1::sensor_message::Body::JobProgress(v1::JobProgress {
            attempt: Some(work.attempt.into()),
            tags: 7,
            ..v1::JobProgress::default()
        }),
    ] {
        session.send(body).await;
    }
    session.heartbeat(&[]).await;
    session.ack().await;
    let alarms = async || {
        let mut entries = scene.audit().await;
        entries.retain(|entry| entry.action == "sensor.foreign_id");
        entries
    };
    eventually("the intruder is in its tenant's audit log", || async {
        !alarms().await.is_empty()
    })
    .await;
    // A second alarm would come after this one, which comes later than all calls above.
    scene.clock.advance(Duration::from_secs(61));
    let last = AttemptRef {
        run: RunId::random(&SystemRng),
        attempt: 1,
    };
    let refused = upload
        .report_coverage(v1::ReportCoverageRequest {
            fence: Some(fence(last, epoch.session_epoch)),
            entries: Vec::new(),
            filtered: Vec::new(),
        })
        .await
        .unwrap_err();
    assert_eq!(reason(&refused), Reason::StaleAttempt);
    eventually("the intruder is told of again after a minute", || async {
        alarms().await.len() >= 2
    })
    .await;
    let alarms = alarms().await;
    assert_eq!(alarms.len(), 2, "eighteen calls were refused: {alarms:?}");
    let runs = [last.run, work.attempt.run].map(|run| format!("run:{run}"));
    for (alarm, run) in alarms.iter().zip(runs) {
        assert_eq!(alarm.severity, AuditSeverity::High);
        assert_eq!(
            (&alarm.object, &alarm.actor),
            (&run, &format!("sensor:{}", intruder.id))
        );
    }
    scene.admin = owner;
    let harmless = |entry: &portolan_store::AuditEntry| entry.action != "sensor.foreign_id";
    assert!(
        scene.audit().await.iter().all(harmless),
        "the other tenant learns nothing"
    );
    let after = scene.run(work.attempt.run).await;
    assert_eq!((after.state, after.progress), (before.state, before.progress));
}

#[tokio::test]
async fn t31_content_that_only_another_tenant_holds_is_wanted() {
    let mut scene = Scene::new().await;
    let first = Sensor::enrol(&scene, "berlin").await;
    let mut work = Work::begin(&scene, &first, "berlin").await;
    work.put(vec![manifest(MANIFEST)]).await.unwrap();
    move_to_another_tenant(&mut scene).await;
    let second = Sensor::enrol(&scene, "berlin").await;
    let mut work = Work::begin(&scene, &second, "berlin").await;
    let offer = v1::OfferDigestsRequest {
        fence: Some(work.fence.clone()),
        kind: v1::ContentKind::Manifest.into(),
        digests: vec![Digest::sha256_of(MANIFEST).to_bytes().into()],
    };
    let wanted = work.upload.offer_digests(offer).await.unwrap().into_inner();
    assert_eq!(wanted.bits.as_ref(), [1]);
}
