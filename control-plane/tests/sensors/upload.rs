//! What sensors send up, good and bad.

use std::time::Duration;

use bytes::Bytes;
use jiff::SignedDuration;
use portolan_proto::v1;
use portolan_proto::v1::upload_client::UploadClient;
use portolan_shared::model::{AttemptRef, Digest, FindingCode, Reason, RunState, StateHasher, limits};
use portolan_store::PageRequest;
use tokio_stream::iter;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::jobs::take_offer;
use crate::scene::{Scene, eventually, reason};
use crate::sensor::Sensor;
use crate::session::{Session, hello, open};

pub(crate) const MANIFEST: &[u8] = br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}"#;

/// A sensor in the middle of an attempt.
pub(crate) struct Work {
    pub(crate) session: Session,
    pub(crate) upload: UploadClient<Channel>,
    pub(crate) attempt: AttemptRef,
    pub(crate) fence: v1::Fence,
}

impl Work {
    pub(crate) async fn begin(scene: &Scene, sensor: &Sensor, name: &str) -> Self {
        let mut session = open(scene, sensor).await;
        let epoch = session.hello(hello(&[])).await.session_epoch;
        scene.queue_run(&format!("registry-of-{name}"), name).await;
        let attempt = take_offer(&mut session).await;
        Self {
            session,
            upload: sensor.upload(scene).await,
            attempt,
            fence: fence(attempt, epoch),
        }
    }

    pub(crate) async fn put(&mut self, items: Vec<v1::ContentItem>) -> Result<u32, Status> {
        let message = v1::PutContentRequest {
            fence: Some(self.fence.clone()),
            items,
        };
        let answer = self.upload.put_content(iter([message])).await?;
        Ok(answer.into_inner().stored)
    }

    async fn commit(
        &mut self,
        commit: v1::CommitRepositoryRequest,
    ) -> Result<v1::CommitRepositoryResponse, Status> {
        Ok(self.upload.commit_repository(iter([commit])).await?.into_inner())
    }
}

pub(crate) fn fence(attempt: AttemptRef, session_epoch: u64) -> v1::Fence {
    v1::Fence {
        attempt: Some(attempt.into()),
        session_epoch,
    }
}

pub(crate) fn manifest(bytes: &[u8]) -> v1::ContentItem {
    v1::ContentItem {
        kind: v1::ContentKind::Manifest.into(),
        digest: Digest::sha256_of(bytes).to_bytes().into(),
        size: bytes.len() as u64,
        content: Bytes::copy_from_slice(bytes),
        ..v1::ContentItem::default()
    }
}

pub(crate) fn tags(fence: &v1::Fence, names: &[&str], outcome: &str) -> v1::CommitRepositoryRequest {
    let digest = Digest::sha256_of(MANIFEST);
    let mut hasher = StateHasher::new();
    for name in names {
        hasher.add(&name.parse().unwrap(), &digest);
    }
    v1::CommitRepositoryRequest {
        only: Vec::new(),
        fence: Some(fence.clone()),
        repository: "acme/app".into(),
        tags: names
            .iter()
            .map(|name| v1::Tag {
                tag: (*name).to_owned(),
                digest: digest.to_bytes().into(),
                ..v1::Tag::default()
            })
            .collect(),
        end: Some(v1::CommitEnd {
            state_hash: hasher.finish().0.to_vec().into(),
            outcome: outcome.into(),
            finding: None,
            listed_seconds_ago: 0,
        }),
        left_out: Vec::new(),
    }
}

pub(crate) fn close(fence: &v1::Fence) -> v1::CloseRunRequest {
    v1::CloseRunRequest {
        fence: Some(fence.clone()),
        discovery: vec![v1::DiscoveryStep {
            method: "catalog".into(),
            found: 1,
            complete: true,
            finding: None,
        }],
        discovery_complete: true,
        found: 1,
        tags: 2,
        ..v1::CloseRunRequest::default()
    }
}

#[tokio::test]
async fn what_a_commit_tells_of_is_as_old_as_its_listing() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut work = Work::begin(&scene, &sensor, "berlin").await;
    work.put(vec![manifest(MANIFEST)]).await.unwrap();
    let leased = scene.app().clock.now();
    scene.clock.advance(Duration::from_secs(40));
    let aged = |names: &[&str], seconds| {
        let mut request = tags(&work.fence, names, "listed");
        request.end.as_mut().unwrap().listed_seconds_ago = seconds;
        request
    };
    let (first, second, hostile) = (
        aged(&["1.0", "latest"], 30),
        aged(&["1.0"], 0),
        aged(&[], u64::MAX),
    );
    assert_eq!(
        work.commit(hostile).await.unwrap_err().code(),
        Code::InvalidArgument
    );
    assert_eq!(work.commit(first).await.unwrap().appeared, 2);
    assert_eq!(work.commit(second).await.unwrap().vanished, 1);
    let registry = scene.run(work.attempt.run).await.registry;
    let (app, name, tag) = (
        scene.app(),
        "acme/app".parse().unwrap(),
        "latest".parse().unwrap(),
    );
    let lines = app
        .store
        .history(sensor.tenant, registry, &name, Some(&tag), &PageRequest::first())
        .await
        .unwrap();
    let seen = lines.items[0].not_before.unwrap();
    let ago = scene.app().clock.now().duration_since(seen);
    assert!(
        ago >= SignedDuration::from_secs(30),
        "it may have been deleted while the listing went on: {ago}"
    );
    assert!(seen > leased, "{seen}");
}

#[tokio::test]
async fn an_inventory_is_offered_put_committed_and_closed_and_every_step_can_be_repeated() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut work = Work::begin(&scene, &sensor, "berlin").await;
    let offer = v1::OfferDigestsRequest {
        fence: Some(work.fence.clone()),
        kind: v1::ContentKind::Manifest.into(),
        digests: vec![Digest::sha256_of(MANIFEST).to_bytes().into()],
    };
    let wanted = work
        .upload
        .offer_digests(offer.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!((wanted.count, wanted.bits.as_ref()), (1, [1].as_slice()));
    let facts = v1::ContentItem {
        kind: v1::ContentKind::ImageFacts.into(),
        digest: Digest::sha256_of(b"{}").to_bytes().into(),
        size: 2,
        content: Bytes::from_static(b"{}"),
        ..v1::ContentItem::default()
    };
    assert_eq!(
        work.put(vec![facts.clone(), manifest(MANIFEST)]).await.unwrap(),
        2
    );
    assert_eq!(work.put(vec![facts, manifest(MANIFEST)]).await.unwrap(), 0);
    let wanted = work.upload.offer_digests(offer).await.unwrap().into_inner();
    assert_eq!(wanted.bits.as_ref(), [0]);

    let request = tags(&work.fence, &["1.0", "latest"], "listed");
    let committed = work.commit(request.clone()).await.unwrap();
    assert_eq!(
        (committed.appeared, committed.moved, committed.vanished),
        (2, 0, 0)
    );
    assert_eq!(
        work.commit(request).await.unwrap(),
        v1::CommitRepositoryResponse::default()
    );

    let with_progress = |requests| v1::CloseRunRequest {
        progress: Some(v1::JobProgress {
            requests,
            bytes_up: 4_321,
            discovered: true,
            ..v1::JobProgress::default()
        }),
        ..close(&work.fence)
    };
    // The second time, the run is closed and its account stands as it was.
    for requests in [17, 99] {
        let closed = work.upload.close_run(with_progress(requests)).await.unwrap();
        assert_eq!(closed.into_inner().state, "complete");
        let run = scene.run(work.attempt.run).await;
        assert_eq!(run.state, RunState::Complete);
        let progress = run.progress;
        assert_eq!(
            (progress.requests, progress.bytes_up, progress.discovered),
            (17, 4_321, true)
        );
    }

    // Its slot is free without a heartbeat: two more runs fit.
    for registry in ["second", "third"] {
        let run = scene.queue_run(registry, "berlin").await;
        assert_eq!(take_offer(&mut work.session).await.run, run);
    }
}

#[tokio::test]
async fn t29_a_batch_with_a_false_digest_is_refused_whole_and_the_third_one_ends_the_attempt() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut work = Work::begin(&scene, &sensor, "berlin").await;
    let wrong = Digest::sha256_of(b"other");
    let false_item = v1::ContentItem {
        digest: wrong.to_bytes().into(),
        ..manifest(MANIFEST)
    };
    for time in 1..=3 {
        let run = scene.run(work.attempt.run).await;
        assert_eq!(run.state, RunState::Leased, "before the {time}. time");
        let items = vec![manifest(MANIFEST), false_item.clone()];
        let refused = work.put(items).await.unwrap_err();
        assert_eq!(reason(&refused), Reason::ProtocolViolation);
        assert!(refused.message().contains(&wrong.to_string()), "{refused:?}");
    }
    let run = scene.run(work.attempt.run).await;
    assert_eq!(run.state, RunState::Failed);
    assert_eq!(run.finding.unwrap().code, FindingCode::DigestMismatch);
    assert_eq!(run.content_stored, 0, "nothing was stored");
    let refused = work.put(vec![manifest(MANIFEST)]).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::StaleAttempt);
}

#[tokio::test]
async fn tag_sets_that_do_not_hold_together_are_refused() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut work = Work::begin(&scene, &sensor, "berlin").await;
    let good = tags(&work.fence, &["1.0", "latest"], "listed");
    let mut swapped = good.clone();
    swapped.tags.swap(0, 1);
    let mut short = good.clone();
    short.tags.pop();
    let mut endless = good.clone();
    endless.end = None;
    let unchanged = tags(&work.fence, &["1.0"], "unchanged");
    let mut homeless = good.clone();
    homeless.repository = "../etc".into();
    let mut fenceless = good.clone();
    fenceless.fence = None;
    for (what, bad) in [
        ("swapped", swapped),
        ("short", short),
        ("endless", endless),
        ("unchanged", unchanged),
        ("homeless", homeless),
        ("fenceless", fenceless),
    ] {
        let refused = work.commit(bad).await.unwrap_err();
        assert_eq!(reason(&refused), Reason::ProtocolViolation, "{what}");
    }
    let full: Vec<String> = (0..limits::TAGS_PER_PAGE).map(|i| format!("t{i:05}")).collect();
    let mut names: Vec<&str> = full.iter().map(String::as_str).collect();
    work.commit(tags(&work.fence.clone(), &names, "listed"))
        .await
        .unwrap();
    names.push("z");
    let refused = work
        .commit(tags(&work.fence.clone(), &names, "listed"))
        .await
        .unwrap_err();
    assert_eq!(reason(&refused), Reason::ProtocolViolation);
}

#[tokio::test]
async fn t37_upload_messages_hold_at_their_bound_and_are_refused_above() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut work = Work::begin(&scene, &sensor, "berlin").await;
    let message = |fence: &v1::Fence, bytes: usize| {
        let mut fill = bytes - 300;
        loop {
            let padding = vec![b' '; fill];
            let content = [MANIFEST, &padding].concat();
            let message = v1::PutContentRequest {
                fence: Some(fence.clone()),
                items: vec![manifest(&content)],
            };
            let size = prost::Message::encoded_len(&message);
            if size == bytes {
                return message;
            }
            fill = fill + bytes - size;
        }
    };
    let at_bound = message(&work.fence, limits::UPLOAD_MESSAGE_BYTES);
    let stored = work.upload.put_content(iter([at_bound])).await.unwrap();
    assert_eq!(stored.into_inner().stored, 1);
    let above = message(&work.fence, limits::UPLOAD_MESSAGE_BYTES + 1);
    let refused = work.upload.put_content(iter([above])).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::MessageTooLarge);
}

#[tokio::test]
async fn manifests_larger_than_a_message_are_put_together() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut work = Work::begin(&scene, &sensor, "berlin").await;
    let padding = vec![b' '; limits::MANIFEST_BYTES - MANIFEST.len()];
    let whole = [MANIFEST, &padding].concat();
    let parts: Vec<_> = whole
        .chunks(900 * 1024)
        .map(|part| v1::PutContentRequest {
            fence: Some(work.fence.clone()),
            items: vec![v1::ContentItem {
                content: Bytes::copy_from_slice(part),
                ..manifest(&whole)
            }],
        })
        .collect();
    let stored = work.upload.put_content(iter(parts.clone())).await.unwrap();
    assert_eq!(stored.into_inner().stored, 1);
    let unfinished = parts[..2].to_vec();
    let refused = work.upload.put_content(iter(unfinished)).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::ProtocolViolation);
}

#[tokio::test]
async fn an_older_session_is_fenced_off_from_the_moment_that_a_newer_one_opens() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut work = Work::begin(&scene, &sensor, "berlin").await;
    work.session.heartbeat(&[work.attempt]).await;
    work.session.ack().await;
    let mut newer = open(&scene, &sensor).await;
    let epoch = newer.hello(hello(&[work.attempt])).await.session_epoch;
    let refused = work.put(vec![manifest(MANIFEST)]).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::StaleSession);
    work.fence.session_epoch = epoch;
    work.put(vec![manifest(MANIFEST)]).await.unwrap();
    eventually("the old session has left", || async {
        scene.control_plane().sessions().count() == 1
    })
    .await;
}

#[tokio::test]
async fn ingest_is_measured_call_by_call() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut work = Work::begin(&scene, &sensor, "berlin").await;
    work.put(vec![manifest(MANIFEST)]).await.unwrap();
    let request = tags(&work.fence, &["1.0", "latest"], "listed");
    work.commit(request).await.unwrap();
    let metrics = scene.control_plane().meters().render();
    for line in [
        "portolan_ingest_seconds_count{call=\"put_content\"} 1",
        "portolan_ingest_seconds_count{call=\"commit_repository\"} 1",
        "portolan_tags_committed_total 2",
        "portolan_content_stored_total 1",
    ] {
        assert!(metrics.lines().any(|shown| shown == line), "{line} in {metrics}");
    }
    assert!(metrics.contains("portolan_ingest_seconds_sum{call=\"commit_repository\"}"));
}
