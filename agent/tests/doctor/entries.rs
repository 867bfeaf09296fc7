//! Several logins for one host: which of them is taken, and that it is said.

use std::sync::Arc;

use portolan_doubles::{Content, RegistryDouble};
use portolan_registry::{CredentialSource, Environment};
use portolan_shared::model::{Diagnosis, Stage, Verdict};
use portolan_shared::process::SystemClock;

use crate::scene::{Scene, examine, examine_repository, report};

/// reader:right, and another login that is refused wherever it is shown.
const RIGHT: &str = "cmVhZGVyOnJpZ2h0";
const WRONG: &str = "cmVhZGVyOndyb25n";

/// A registry, and a docker configuration with logins for parts of it.
struct Several {
    scene: Scene,
    registry: RegistryDouble,
    folder: tempfile::TempDir,
}

impl Several {
    async fn new() -> Self {
        let scene = Scene::new();
        let registry = RegistryDouble::builder(Content::gitlab_fixture())
            .basic("reader", "right")
            .start(None, &scene.tasks)
            .await
            .unwrap();
        Self {
            scene,
            registry,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn host(&self) -> String {
        self.registry.address().to_string()
    }

    /// Examined with these entries, by what follows the host in their keys: as a file, or as a mounted secret of Kubernetes'.
    async fn examined(&self, entries: &[(&str, &str)], mounted: bool, repository: Option<&str>) -> Diagnosis {
        let host = self.host();
        let auths: Vec<_> = entries
            .iter()
            .map(|(path, auth)| format!(r#""{host}{path}":{{"auth":"{auth}"}}"#))
            .collect();
        let config = self.folder.path().join(".dockerconfigjson");
        std::fs::write(&config, format!(r#"{{"auths":{{{}}}}}"#, auths.join(","))).unwrap();
        let reference = if mounted {
            format!("kubernetes:{}", self.folder.path().display())
        } else {
            format!("docker-config:{}", config.display())
        };
        let mut access = self.scene.access(&self.registry.url());
        access.credentials = Arc::new(CredentialSource::new(
            reference.parse().unwrap(),
            access.url.clone(),
            Environment::default(),
            Arc::new(SystemClock),
        ));
        let diagnosis = match repository {
            Some(repository) => examine_repository(access, repository).await,
            None => examine(access).await,
        };
        let text = serde_json::to_string(&diagnosis).unwrap();
        for told in [RIGHT, WRONG, "dockerconfigjson"] {
            assert!(!text.contains(told), "{text}");
        }
        diagnosis
    }
}

fn sees(diagnosis: &Diagnosis, stage: Stage, line: &str) -> bool {
    report(diagnosis, stage).seen.iter().any(|seen| seen == line)
}

#[tokio::test]
async fn the_entry_that_the_login_was_found_under_is_named_and_its_content_is_not() {
    let several = Several::new().await;
    let host = several.host();
    for mounted in [false, true] {
        let one = several.examined(&[("", RIGHT)], mounted, None).await;
        let whole = format!("the login is that of the entry {host}");
        assert!(
            sees(&one, Stage::Token, &whole),
            "{:?}",
            report(&one, Stage::Token)
        );
        let tags = &report(&one, Stage::Tags).seen;
        assert!(
            !tags.iter().any(|seen| seen.contains("entry")),
            "there is no choice: {tags:?}"
        );

        let entries = [
            ("", RIGHT),
            ("/acme", RIGHT),
            ("/acme/shop", RIGHT),
            ("/acme/sho", RIGHT),
        ];
        let whole =
            format!("{whole}, one of 4: repositories below the paths of the others are read with those");
        let named = several.examined(&entries, mounted, Some("acme/shop/api")).await;
        let own = format!("acme/shop/api has a login of its own, that of the entry {host}/acme/shop");
        assert!(
            sees(&named, Stage::Token, &whole) && sees(&named, Stage::Token, &own),
            "{:?}",
            report(&named, Stage::Token)
        );
        let read = format!("acme/shop/api: read with the login of the entry {host}/acme/shop");
        assert!(
            sees(&named, Stage::Tags, &read),
            "{:?}",
            report(&named, Stage::Tags)
        );

        // Of one that the doctor has chosen itself it is said, too.
        let chosen = several.examined(&entries, mounted, None).await;
        let tags = report(&chosen, Stage::Tags);
        let entry = format!("read with the login of the entry {host}/acme");
        assert!(tags.seen.iter().any(|seen| seen.contains(&entry)), "{tags:?}");
    }
}

#[tokio::test]
async fn without_an_entry_for_the_host_it_is_said_which_one_stands_in() {
    let several = Several::new().await;
    let host = several.host();
    let entries = [("/acme/shop", RIGHT), ("/zzz", RIGHT)];
    let examined = several.examined(&entries, false, None).await;
    let line = format!(
        "the login is that of the entry {host}/zzz, one of 2, none of which is for the whole registry: that with the shortest path \
         stands in"
    );
    assert!(
        sees(&examined, Stage::Token, &line),
        "{:?}",
        report(&examined, Stage::Token)
    );
    let alone = several.examined(&entries[..1], false, None).await;
    let line = format!(
        "the login is that of the entry {host}/acme/shop, which is for a part of the registry, and the only one"
    );
    assert!(
        sees(&alone, Stage::Token, &line),
        "{:?}",
        report(&alone, Stage::Token)
    );
}

/// A wrong login for a part says nothing of the rest, and the right one for a part reads it although that for the rest is wrong.
#[tokio::test]
async fn what_is_read_is_read_with_the_login_of_the_longest_path() {
    let several = Several::new().await;
    let entries = [("", RIGHT), ("/acme/shop", WRONG)];
    let part = several.examined(&entries, true, Some("acme/shop/api")).await;
    assert_eq!(
        report(&part, Stage::Tags).verdict,
        Verdict::Failed,
        "{:?}",
        report(&part, Stage::Tags)
    );
    let entries = [("", RIGHT), ("/acme", WRONG), ("/acme/shop", RIGHT)];
    let part = several.examined(&entries, true, Some("acme/shop/api")).await;
    assert_eq!(
        report(&part, Stage::Tags).verdict,
        Verdict::Passed,
        "{:?}",
        report(&part, Stage::Tags)
    );
}
