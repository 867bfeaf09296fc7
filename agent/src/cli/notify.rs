//! `notify check`: the settings of the listener for push events, tried and put in plain words; and what a firewall needs to let in for them.

use std::fmt::Write as _;
use std::sync::Arc;

use portolan_shared::events::Sender;
use portolan_shared::process::{Clock, Shutdown, SystemClock, SystemRng, Tasks};

use super::exit::{DONE, FAILED, Failed, USAGE, say};
use crate::notify::{Listener, ListenerParts, NotifyDesk, NotifyError};
use crate::policy::LivePolicy;
use crate::settings::{NotifyRegistry, NotifySettings, Settings};

/// Reads every file and binds the port, for a moment; then says what each registry is to be given.
pub(super) async fn check_notify(settings: &Settings) -> Result<u8, Failed> {
    let Some(notify) = settings.notify.clone() else {
        let without = "there is no [notify] in the settings: this sensor listens for no push events";
        return Err(Failed(USAGE, without.to_owned()));
    };
    let policy = LivePolicy::load(&settings.policy).map_err(|error| Failed::because(USAGE, &error))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let listener = Listener::bind(ListenerParts {
        desk: Arc::new(NotifyDesk::new(
            Some(notify.clone()),
            Arc::new(policy),
            Arc::clone(&clock),
        )),
        settings: notify.clone(),
        rng: Arc::new(SystemRng),
        tasks: Tasks::new(Shutdown::new()),
        clock,
    });
    let warnings = match listener.await {
        Ok(listener) => listener.files().warnings(SystemClock.now()),
        // Most likely by the agent that runs with these settings.
        Err(NotifyError::Listen { source, .. }) if source.kind() == std::io::ErrorKind::AddrInUse => {
            vec![format!(
                "{} is taken: fine if by the agent that runs here",
                notify.listen
            )]
        }
        Err(error) => return Err(Failed::because(FAILED, &error)),
    };
    say(&explained(&notify))?;
    for warning in warnings {
        say(&format!("\nWarning: {warning}."))?;
    }
    Ok(DONE)
}

fn explained(settings: &NotifySettings) -> String {
    let scheme = if settings.tls.is_some() { "https" } else { "http" };
    let here = format!("{scheme}://{}/notify", settings.listen);
    let base = settings.public_url.as_ref().unwrap_or(&here);
    let mut text = format!("Listens on {} ({scheme}).\n", settings.listen);
    for registry in &settings.registries {
        let _ = write!(text, "\n{}", told(base, registry));
    }
    text.trim_end().to_owned()
}

/// What an administrator of the registry needs to know.
fn told(base: &str, registry: &NotifyRegistry) -> String {
    let NotifyRegistry {
        name,
        sender,
        secret_file,
        from,
    } = registry;
    let file = secret_file.display();
    let (path, secret) = match sender {
        Sender::Quay | Sender::DockerHub => ("/SECRET", format!("SECRET is what stands in {file}")),
        Sender::Ghcr | Sender::Gitea | Sender::Nexus | Sender::Artifactory => {
            ("", format!("what stands in {file}, as the webhook's secret"))
        }
        Sender::Distribution
        | Sender::GitLab
        | Sender::Harbor
        | Sender::Zot
        | Sender::Ecr
        | Sender::Acr
        | Sender::CloudEvents => ("", format!("what stands in {file}, as the header Authorization")),
    };
    let from: Vec<String> = from.iter().map(ToString::to_string).collect();
    let from = if from.is_empty() {
        "anywhere".to_owned()
    } else {
        from.join(", ")
    };
    format!("{name} ({sender})\n  URL     {base}/{name}{path}\n  secret  {secret}\n  from    {from}\n")
}

/// Lines of a systemd drop-in: its address rules hold for what comes in as well.
pub(super) fn incoming(settings: &NotifySettings) -> String {
    let mut text = String::new();
    for registry in &settings.registries {
        if registry.from.is_empty() {
            let _ = writeln!(
                text,
                "# Note: {} may notify from anywhere, by the settings: say from where (`from`) and generate this again, or it is not let in.",
                registry.name
            );
            continue;
        }
        let _ = writeln!(text, "# notifications of {}", registry.name);
        for range in &registry.from {
            let _ = writeln!(text, "IPAddressAllow={range}");
        }
    }
    if settings.listen.ip().is_loopback() {
        text.push_str("# notifications come over loopback\nIPAddressAllow=localhost\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> NotifySettings {
        let registry = |name: &str, sender, from: &[&str]| NotifyRegistry {
            name: name.parse().unwrap(),
            sender,
            secret_file: format!("/etc/portolan-agent/{name}").into(),
            from: from.iter().map(|range| range.parse().unwrap()).collect(),
        };
        NotifySettings {
            listen: "127.0.0.1:5080".parse().unwrap(),
            tls: None,
            public_url: Some("https://agent.example/notify".to_owned()),
            registries: vec![
                registry("gitlab", Sender::GitLab, &["10.0.0.0/8", "192.0.2.1"]),
                registry("quay", Sender::Quay, &[]),
                registry("forge", Sender::Gitea, &["10.1.0.0/16"]),
            ],
        }
    }

    #[test]
    fn an_administrator_reads_what_to_enter_where() {
        assert_eq!(
            explained(&settings()),
            "Listens on 127.0.0.1:5080 (http).\n\
             \ngitlab (gitlab)\n  URL     https://agent.example/notify/gitlab\n  secret  what stands in /etc/portolan-agent/gitlab, as the header Authorization\n  from    10.0.0.0/8, 192.0.2.1/32\n\
             \nquay (quay)\n  URL     https://agent.example/notify/quay/SECRET\n  secret  SECRET is what stands in /etc/portolan-agent/quay\n  from    anywhere\n\
             \nforge (gitea)\n  URL     https://agent.example/notify/forge\n  secret  what stands in /etc/portolan-agent/forge, as the webhook's secret\n  from    10.1.0.0/16"
        );
        let mut local = settings();
        local.public_url = None;
        assert!(explained(&local).contains("http://127.0.0.1:5080/notify/gitlab"));
    }

    #[test]
    fn a_drop_in_lets_in_who_may_notify() {
        let text = incoming(&settings());
        for line in [
            "# notifications of gitlab",
            "IPAddressAllow=10.0.0.0/8",
            "IPAddressAllow=192.0.2.1/32",
            "IPAddressAllow=localhost",
        ] {
            assert!(text.lines().any(|got| got == line), "{line}: {text}");
        }
        assert!(text.contains("# Note: quay may notify from anywhere"), "{text}");
        assert!(!text.contains("=any"));
    }
}
