//! What is recorded of a start.

use portolan_agent::audit::{FOLDER, Read, files_in};
use portolan_agent::wiring::Agent;
use portolan_shared::model::Digest;
use portolan_shared::process::Tasks;
use serde_json::{Value, json};

use crate::agent::parts;
use crate::events::write_settings;
use crate::plane::{ControlPlane, DAY, Scripts};

/// Object and details of every record of this action, the oldest first.
fn records(folder: &std::path::Path, action: &str) -> Vec<(String, Value)> {
    let mut records = Vec::new();
    for file in files_in(&folder.join(FOLDER)) {
        for line in file.lines().unwrap() {
            if let Read::Record(linked) = line.unwrap()
                && linked.record.action == action
            {
                let details = serde_json::from_str(&linked.record.details).unwrap();
                records.push((linked.record.object, details));
            }
        }
    }
    records
}

#[tokio::test]
async fn a_start_is_recorded_with_the_settings_and_without_the_logins_in_them() {
    let folder = tempfile::tempdir().unwrap();
    let plane = ControlPlane::start(Scripts::default(), DAY).await;
    plane.enrol(folder.path(), &plane.token()).await.unwrap();
    let start = async || {
        let parts = parts(folder.path());
        let tasks: Tasks = parts.tasks.clone();
        let (_, agent) = Agent::build(parts).await.unwrap();
        drop(agent);
        tasks.shutdown().start_cut();
        tasks.ended().await;
    };
    start().await;
    let file = folder.path().join("agent.toml");
    write_settings(folder.path(), "127.0.0.1:0");
    let former = std::fs::read_to_string(&file).unwrap();
    let text = format!(
        "[control_plane]\nproxy = \"http://user:hunter2@way.example.com:3128\"\n\
         [registries]\nproxy = \"http://user:hunter2@inner.example.com:8080\"\n{former}"
    );
    std::fs::write(&file, &text).unwrap();
    start().await;

    let starts: Vec<Value> = records(folder.path(), "agent.start")
        .into_iter()
        .map(|(_, details)| details["start"].clone())
        .collect();
    assert_eq!(starts, [json!(1), json!(2)]);
    let policy = folder.path().join("policy.toml").display().to_string();
    let none = json!({
        "sha256": null, "policy": policy, "proxy": null, "registry_proxies": {"https": null, "http": null},
        "health": null, "notify": null,
    });
    let digest = Digest::sha256_of(text.as_bytes()).to_string();
    let all = json!({
        "sha256": digest.strip_prefix("sha256:").unwrap(), "policy": policy, "proxy": "way.example.com:3128",
        "registry_proxies": {"https": "inner.example.com:8080", "http": "inner.example.com:8080"},
        "health": null, "notify": "127.0.0.1:0",
    });
    let path = file.display().to_string();
    assert_eq!(
        records(folder.path(), "settings.read"),
        [("no settings file".to_owned(), none), (path, all)]
    );
    for file in files_in(&folder.path().join(FOLDER)) {
        assert!(!std::fs::read_to_string(&file.0).unwrap().contains("hunter2"));
    }
}
