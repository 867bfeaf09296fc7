//! Amazon's and Azure's registries.

use super::super::{NotificationError, Sender};
use super::told::{error, none, says};

pub(super) const ECR: &str = r#"{
  "version":"0","id":"13cde686-328b-6117-af20-0e5566167482","detail-type":"ECR Image Action","source":"aws.ecr",
  "account":"123456789012","time":"2019-11-16T01:54:34Z","region":"us-west-2","resources":[],
  "detail":{"result":"SUCCESS","repository-name":"my-repository-name","image-digest":"DIGEST",
    "action-type":"PUSH","image-tag":"latest"}}"#;

pub(super) const WEBHOOK: &str = r#"{
  "id":"cb8c3971-9adc-488b-bdd8-43cbb4974ff5","timestamp":"2017-11-17T16:52:01.343145347Z","action":"push",
  "target":{"mediaType":"application/vnd.docker.distribution.manifest.v2+json","size":524,"digest":"DIGEST",
    "length":524,"repository":"hello-world","tag":"v1"},
  "request":{"id":"3cbb6949-7549-4fa1-86cd-a6d5451dffc7","host":"myregistry.azurecr.io","method":"PUT","useragent":"docker/17"}}"#;

pub(super) const GRID: &str = r#"{
  "id":"831e1650-001e-001b-66ab-eeb76e069631",
  "topic":"/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerRegistry/registries/r",
  "subject":"aci-helloworld:v1","eventType":"Microsoft.ContainerRegistry.ImagePushed","eventTime":"2018-04-25T21:39:47.6549614Z",
  "data":{"id":"31c51664-e5bd-416a-a5df-e5206bc47ed0","timestamp":"2018-04-25T21:39:47.276585742Z","action":"push",
    "location":"westeurope",
    "target":{"mediaType":"application/vnd.docker.distribution.manifest.v2+json","size":3023,"digest":"DIGEST",
      "length":3023,"repository":"aci-helloworld","tag":"v1"}},
  "dataVersion":"2.0","metadataVersion":"1"}"#;

#[test]
fn image_actions_of_amazon_are_read() {
    let id = "#13cde686-328b-6117-af20-0e5566167482 at 2019-11-16T01:54:34Z";
    let pushed = format!("pushed my-repository-name:latest@fbeba785391a {id}");
    assert_eq!(says(Sender::Ecr, &none(), ECR), [pushed.as_str()]);
    assert_eq!(
        says(Sender::Ecr, &none(), &ECR.replace("PUSH", "DELETE")),
        [format!("deleted my-repository-name:latest@fbeba785391a {id}")]
    );
    let untagged = ECR
        .replace("PUSH", "DELETE")
        .replace(r#","image-tag":"latest""#, "");
    assert_eq!(
        says(Sender::Ecr, &none(), &untagged),
        [format!("deleted my-repository-name@fbeba785391a {id}")]
    );
    let replicated = ECR
        .replace("ECR Image Action", "ECR Replication Action")
        .replace("PUSH", "REPLICATE");
    assert_eq!(says(Sender::Ecr, &none(), &replicated), [pushed.as_str()]);
    let cached = ECR
        .replace("ECR Image Action", "ECR Pull Through Cache Action")
        .replace(r#""result""#, r#""sync-status""#);
    assert_eq!(says(Sender::Ecr, &none(), &cached), [pushed.as_str()]);
    let text = serde_json::to_string(&ECR.replace("DIGEST", super::told::DIGEST)).unwrap();
    let through_sns =
        format!(r#"{{"Type":"Notification","MessageId":"m","TopicArn":"arn:aws:sns:x","Message":{text}}}"#);
    assert_eq!(says(Sender::Ecr, &none(), &through_sns), [pushed.as_str()]);
}

#[test]
fn whatever_else_amazon_says_is_counted() {
    for body in [
        ECR.replace("SUCCESS", "FAILURE"),
        ECR.replace("ECR Image Action", "ECR Image Scan"),
        ECR.replace("aws.ecr", "aws.ec2"),
        ECR.replace("PUSH", "ARCHIVE"),
        r#"{"Type":"SubscriptionConfirmation","Message":"You have chosen to subscribe","SubscribeURL":"https://sns.example"}"#.into(),
    ] {
        assert_eq!(says(Sender::Ecr, &none(), &body), ["1 ignored"], "{body}");
    }
    for body in [
        ECR.replace("DIGEST", "sha256:7f5b2640fe6fb4f46592"),
        r#"{"Type":"Notification","Message":"hello"}"#.into(),
        r#"{"Type":"Notification"}"#.into(),
    ] {
        assert_eq!(says(Sender::Ecr, &none(), &body), ["1 refused"], "{body}");
    }
    assert_eq!(
        error(Sender::Ecr, r#"{"detail":{}}"#),
        NotificationError::Shape { sender: Sender::Ecr }
    );
}

#[test]
fn the_three_shapes_of_azure_are_read() {
    assert_eq!(
        says(Sender::Acr, &none(), WEBHOOK),
        [
            "pushed hello-world:v1@fbeba785391a #cb8c3971-9adc-488b-bdd8-43cbb4974ff5 at 2017-11-17T16:52:01.343145347Z"
        ]
    );
    let expected = [
        "pushed aci-helloworld:v1@fbeba785391a #831e1650-001e-001b-66ab-eeb76e069631 at 2018-04-25T21:39:47.6549614Z",
    ];
    assert_eq!(says(Sender::Acr, &none(), &format!("[{GRID}]")), expected);
    let old = GRID.replace("Microsoft.ContainerRegistry.ImagePushed", "ImagePushed");
    assert_eq!(says(Sender::Acr, &none(), &format!("[{old}]")), expected);
    let cloud = GRID
        .replace("eventType", "type")
        .replace("eventTime", "time")
        .replace(
            r#""dataVersion":"2.0","metadataVersion":"1""#,
            r#""specversion":"1.0""#,
        );
    for sender in [Sender::Acr, Sender::CloudEvents] {
        assert_eq!(says(sender, &none(), &cloud), expected, "{sender}");
    }
    let deleted = cloud
        .replace("ImagePushed", "ImageDeleted")
        .replace(r#""action":"push""#, r#""action":"delete""#)
        .replace(r#","tag":"v1""#, "");
    assert_eq!(
        says(Sender::CloudEvents, &none(), &deleted),
        [
            "deleted aci-helloworld@fbeba785391a #831e1650-001e-001b-66ab-eeb76e069631 at 2018-04-25T21:39:47.6549614Z"
        ]
    );
}

#[test]
fn whatever_else_azure_says_is_counted() {
    let chart = format!("[{}]", GRID.replace("ImagePushed", "ChartPushed"));
    let asked = r#"[{"id":"2d","eventType":"Microsoft.EventGrid.SubscriptionValidationEvent",
        "data":{"validationCode":"512d38b6","validationUrl":"https://rp-eastus2.eventgrid.azure.net/?id=512d38b6"}}]"#;
    for body in [
        &WEBHOOK.replace("\"push\"", "\"quarantine\""),
        &WEBHOOK.replace("\"push\"", "\"chart_push\""),
        r#"{"id":"p","timestamp":"2017-11-17T16:52:01Z","action":"ping","target":null}"#,
        &chart,
        asked,
    ] {
        assert_eq!(says(Sender::Acr, &none(), body), ["1 ignored"], "{body}");
    }
    assert_eq!(says(Sender::Acr, &none(), "[{}, 7]"), ["2 refused"]);
    for body in ["{}", "7", r#"{"target":{"repository":"a","tag":"b"}}"#] {
        assert_eq!(
            error(Sender::Acr, body),
            NotificationError::Shape { sender: Sender::Acr },
            "{body}"
        );
    }
}
