//! Every product that is known is examined to its end with a credential that reads it.

use portolan_doubles::Content;
use portolan_doubles::content::Image;
use portolan_doubles::products::{GiteaAge, GiteaDouble, Harbor, NexusDouble, NexusKind, Zot};
use portolan_shared::model::{Diagnosis, Flavour, Stage, Verdict};

use crate::scene::{Scene, examine, provoked, report, with_login};

provoked! {
    a_group_shows_what_its_members_hold: MergedPassedOver at Discovery = nexus();
    an_owner_has_to_be_named_to_gitea: NativeApiNotAsked at Discovery = gitea();
}

const LOGIN: (&str, &str) = ("reader", "s3cret");

#[track_caller]
fn is_sound(diagnosis: &Diagnosis, flavour: Flavour) {
    let detection = diagnosis.facts.detection.as_ref().unwrap();
    assert_eq!(detection.flavour, flavour, "{diagnosis:#?}");
    assert!(diagnosis.is_sound(), "{diagnosis:#?}");
    assert_eq!(
        report(diagnosis, Stage::Config).verdict,
        Verdict::Passed,
        "{diagnosis:#?}"
    );
}

#[tokio::test]
async fn harbor() {
    let scene = Scene::new();
    let product = Harbor::new().administrator(LOGIN.0, LOGIN.1);
    let double = product
        .start(Content::gitlab_fixture(), None, &scene.tasks)
        .await
        .unwrap();
    let diagnosis = examine(with_login(scene.access(&double.url()), LOGIN)).await;
    is_sound(&diagnosis, Flavour::Harbor);
}

#[tokio::test]
async fn zot() {
    let scene = Scene::new();
    let product = Zot::new().account(LOGIN.0, LOGIN.1, &["**"]);
    let double = product
        .start(Content::gitlab_fixture(), None, &scene.tasks)
        .await
        .unwrap();
    let diagnosis = examine(with_login(scene.access(&double.url()), LOGIN)).await;
    is_sound(&diagnosis, Flavour::Zot);
}

async fn gitea() -> Diagnosis {
    let scene = Scene::new();
    let double = GiteaDouble::start(
        Content::gitlab_fixture(),
        GiteaAge::Newer,
        LOGIN,
        &["acme"],
        None,
        &scene.tasks,
    )
    .await
    .unwrap();
    let diagnosis = examine(with_login(scene.access(&double.stage().url()), LOGIN)).await;
    is_sound(&diagnosis, Flavour::Gitea);
    diagnosis
}

async fn nexus() -> Diagnosis {
    let scene = Scene::new();
    let mut content = Content::new();
    let mut shelf = content.shelf("hosted/shop");
    let image = shelf.image(&Image::new("one"));
    shelf.tag("latest", &image);
    let repositories = [
        ("hosted", NexusKind::Hosted),
        ("all", NexusKind::Group(vec!["hosted".to_owned()])),
    ];
    let double = NexusDouble::start(content, &repositories, LOGIN, None, &scene.tasks)
        .await
        .unwrap();
    let diagnosis = examine(with_login(scene.access(&double.stage().url()), LOGIN)).await;
    is_sound(&diagnosis, Flavour::Nexus);
    diagnosis
}
