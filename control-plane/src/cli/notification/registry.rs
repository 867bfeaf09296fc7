//! What the administrator of a registry writes, by product. Each product's own documentation is where the members come from; what a product
//! calls them may change, what they carry (an address, a secret, pushes and deletions) does not.

use portolan_shared::events::Sender;

use super::snippet::{Snippet, Target};

/// How a registry is told to notify `target`.
pub(super) fn snippet(sender: Sender, target: Target<'_>) -> Snippet {
    match sender {
        Sender::GitLab => gitlab(target),
        Sender::Distribution => distribution(target),
        Sender::Harbor => harbor(target),
        Sender::Zot => zot(target),
        Sender::Quay => steps(
            "Quay: repository, Settings, Create Notification; once for each repository",
            &[
                ("When this event occurs", "Push to Repository"),
                ("Then issue a notification", "Webhook POST"),
                ("Webhook URL", &in_path(target)),
            ],
        ),
        Sender::DockerHub => steps(
            "Docker Hub: repository, Webhooks; once for each repository",
            &[("Webhook name", "portolan"), ("Webhook URL", &in_path(target))],
        ),
        Sender::Ghcr => steps(
            "GitHub: organisation or repository, Settings, Webhooks, Add webhook",
            &[
                ("Payload URL", target.url),
                ("Content type", "application/json"),
                ("Secret", target.secret),
                ("Events", "Let me select individual events: Registry packages"),
            ],
        ),
        Sender::Gitea => steps(
            "Gitea or Forgejo: organisation or site administration, Webhooks, Add webhook",
            &[
                ("Target URL", target.url),
                ("HTTP method", "POST"),
                ("POST content type", "application/json"),
                ("Secret", target.secret),
                ("Trigger on", "Custom events: Packages"),
            ],
        ),
        Sender::Nexus => steps(
            "Nexus: Administration, System, Capabilities, Create capability, Webhook: Repository; once for each repository",
            &[
                ("Event types", "component"),
                ("URL", target.url),
                ("Secret Key", target.secret),
            ],
        ),
        Sender::Artifactory => steps(
            "Artifactory: Administration, General, Webhooks, New webhook",
            &[
                ("Webhook URL", target.url),
                (
                    "Events",
                    "Docker: tag was pushed, tag was deleted, tag was promoted",
                ),
                ("Secret token", target.secret),
                ("Use secret for payload signing", "yes"),
            ],
        ),
        Sender::Ecr => ecr(target),
        Sender::Acr => acr(target),
        Sender::CloudEvents => steps(
            "a sender of CloudEvents over HTTP",
            &[
                ("address", target.url),
                ("header", &format!("Authorization: Bearer {}", target.secret)),
            ],
        ),
    }
}

/// Whether a product may run where only a sensor is; the others are services on the internet, which reach no private network.
pub(super) fn is_in_a_private_network(sender: Sender) -> bool {
    match sender {
        Sender::GitLab
        | Sender::Distribution
        | Sender::Harbor
        | Sender::Zot
        | Sender::Quay
        | Sender::Gitea
        | Sender::Nexus
        | Sender::Artifactory
        | Sender::CloudEvents => true,
        Sender::DockerHub | Sender::Ghcr | Sender::Ecr | Sender::Acr => false,
    }
}

fn in_path(target: Target<'_>) -> String {
    format!("{}/{}", target.url, target.secret)
}

fn steps(place: &str, lines: &[(&str, &str)]) -> Snippet {
    let width = lines.iter().map(|(label, _)| label.len()).max().unwrap_or(0) + 1;
    let lines = lines
        .iter()
        .map(|(label, value)| format!("{:width$} {value}", format!("{label}:")));
    Snippet {
        place: place.to_owned(),
        text: lines.collect::<Vec<_>>().join("\n"),
    }
}

/// GitLab's registry is Distribution with other settings around it. Its projects and groups have no webhook for pushes to the registry.
fn gitlab(Target { url, secret }: Target<'_>) -> Snippet {
    Snippet {
        place: "on the GitLab server: /etc/gitlab/gitlab.rb (add to the list if there is one); then: gitlab-ctl reconfigure. \
                Webhooks of projects and groups do not know of the registry: with this secret as their secret token they are answered 200 and do \
                nothing; with a signing token alone (webhook-signature) they are answered 401, because GitLab makes that key itself"
            .to_owned(),
        text: format!(
            "\
registry['notifications'] = [
  {{
    'name' => 'portolan',
    'url' => '{url}',
    'timeout' => '5s',
    'maxretries' => 10,
    'backoff' => '1s',
    'headers' => {{ 'Authorization' => ['{secret}'] }}
  }}
]"
        ),
    }
}

fn distribution(Target { url, secret }: Target<'_>) -> Snippet {
    Snippet {
        place: "on the registry: its config.yml (add to the list if there is one); then restart it"
            .to_owned(),
        text: format!(
            "\
notifications:
  endpoints:
    - name: portolan
      url: {url}
      headers:
        Authorization: [{secret}]
      timeout: 5s
      threshold: 5
      backoff: 1s
      ignore:
        mediatypes: [application/octet-stream]
        actions: [pull]"
        ),
    }
}

fn harbor(Target { url, secret }: Target<'_>) -> Snippet {
    steps(
        "Harbor: project, Webhooks, New webhook; once for each project",
        &[
            ("Notify type", "http"),
            ("Payload format", "Default"),
            ("Event type", "Artifact pushed, Artifact deleted"),
            ("Endpoint URL", url),
            ("Auth header", secret),
        ],
    )
}

fn zot(Target { url, secret }: Target<'_>) -> Snippet {
    Snippet {
        place: "on the registry: zot's config.json; then restart it".to_owned(),
        text: format!(
            "\
\"extensions\": {{
  \"events\": {{
    \"enable\": true,
    \"sinks\": [
      {{
        \"type\": \"http\",
        \"address\": \"{url}\",
        \"timeout\": \"10s\",
        \"credentials\": {{ \"username\": \"portolan\", \"password\": \"{secret}\" }}
      }}
    ]
  }}
}}"
        ),
    }
}

fn ecr(target: Target<'_>) -> Snippet {
    steps(
        "AWS: EventBridge in the registry's region",
        &[
            (
                "Connection",
                &format!("API key, name Authorization, value {}", target.secret),
            ),
            ("API destination", &format!("POST {}", target.url)),
            (
                "Rule, event pattern",
                "{\"source\": [\"aws.ecr\"], \"detail-type\": [\"ECR Image Action\"]}",
            ),
            ("Target", "the API destination, with the matched event as input"),
        ],
    )
}

fn acr(Target { url, secret }: Target<'_>) -> Snippet {
    Snippet {
        place: "Azure: with its command line".to_owned(),
        text: format!(
            "az acr webhook create --registry REGISTRY --name portolan --actions push delete \\\n  --uri {url} \\\n  --headers 'Authorization={secret}'"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sender_is_told_address_and_secret() {
        for sender in Sender::ALL {
            let target = Target {
                url: "https://portolan.example/api/webhooks/x/1",
                secret: "0123456789abcdef",
            };
            let said = snippet(*sender, target).text;
            assert!(said.contains(target.url), "{sender}: {said}");
            assert!(said.contains(target.secret), "{sender}: {said}");
        }
    }

    /// What an administrator reads says the same as what the command prints.
    #[test]
    fn the_manual_has_the_same_timeouts() {
        let manual = include_str!("../../../../deploy/agent/notify.md");
        let target = Target {
            url: "https://agent.internal.example:5443/notify/x",
            secret: "the secret",
        };
        for sender in [Sender::GitLab, Sender::Distribution] {
            let printed = snippet(sender, target).text;
            let settings = printed.split([',', '\n']).map(str::trim).filter(|line| {
                ["timeout", "maxretries", "threshold", "backoff"]
                    .iter()
                    .any(|word| line.contains(word))
            });
            for setting in settings {
                assert!(manual.contains(setting), "{sender}: {setting}");
            }
        }
    }
}
