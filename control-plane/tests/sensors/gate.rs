//! Strangers get no further than enrolment.

use portolan_proto::v1;
use portolan_proto::v1::session_client::SessionClient;
use portolan_proto::v1::upload_client::UploadClient;
use portolan_shared::model::Reason;
use tokio_stream::iter;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Request, Status};

use crate::scene::{Scene, reason};
use crate::sensor::{Sensor, connect, stranger};
use crate::upload::Work;

#[tokio::test]
async fn strangers_are_refused_everything_but_enrolment() {
    let scene = Scene::new().await;
    let token = scene.invite("berlin").await;
    let channel = connect(&scene, stranger(&scene, &token)).await.unwrap();
    let mut session = SessionClient::new(channel.clone());
    let mut upload = UploadClient::new(channel.clone());
    let refusals: Vec<Option<Status>> = vec![
        session.open(iter([v1::SensorMessage::default()])).await.err(),
        session.renew(v1::RenewRequest::default()).await.err(),
        upload
            .pending_repositories(v1::PendingRepositoriesRequest::default())
            .await
            .err(),
        upload
            .offer_repositories(v1::OfferRepositoriesRequest::default())
            .await
            .err(),
        upload
            .offer_digests(v1::OfferDigestsRequest::default())
            .await
            .err(),
        upload
            .put_content(iter([v1::PutContentRequest::default()]))
            .await
            .err(),
        upload
            .commit_repository(iter([v1::CommitRepositoryRequest::default()]))
            .await
            .err(),
        upload
            .report_coverage(v1::ReportCoverageRequest::default())
            .await
            .err(),
        upload.close_run(v1::CloseRunRequest::default()).await.err(),
        raw(channel, "/portolan.sensor.v1.Nothing/AtAll").await.err(),
    ];
    for (i, refusal) in refusals.iter().enumerate() {
        assert_eq!(
            reason(refusal.as_ref().unwrap()),
            Reason::IdentityUnknown,
            "call {i}"
        );
    }
}

async fn raw(channel: tonic::transport::Channel, path: &'static str) -> Result<(), Status> {
    let mut grpc = Grpc::new(channel);
    grpc.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<v1::Ack, v1::Ack>::default();
    let path = PathAndQuery::from_static(path);
    grpc.unary(Request::new(v1::Ack {}), path, codec)
        .await
        .map(|_| ())
}

#[tokio::test]
async fn calls_that_do_not_exist_are_refused_with_a_reason() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let channel = sensor.channel(&scene).await;
    let refused = raw(channel, "/portolan.sensor.v1.Upload/Everything")
        .await
        .unwrap_err();
    assert_eq!(reason(&refused), Reason::Unsupported);
}

#[tokio::test]
async fn a_sensor_has_two_connections_for_uploads_and_the_newest_is_refused() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let work = Work::begin(&scene, &sensor, "berlin").await;
    let call = async |channel: &tonic::transport::Channel| {
        let request = v1::PendingRepositoriesRequest {
            fence: Some(work.fence.clone()),
            repositories: vec!["acme/app".into()],
        };
        let mut upload = UploadClient::new(channel.clone());
        let answer = upload.pending_repositories(request).await;
        answer.map(drop).map_err(|refused| reason(&refused))
    };
    let (first, second) = (sensor.channel(&scene).await, sensor.channel(&scene).await);
    assert_eq!(call(&first).await, Ok(()));
    assert_eq!(call(&second).await, Ok(()));
    let third = sensor.channel(&scene).await;
    assert_eq!(call(&third).await, Err(Reason::Overloaded));
    drop(first);
    crate::scene::eventually("there is room again", || async { call(&third).await == Ok(()) }).await;
}
