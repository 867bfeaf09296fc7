//! What the administrator of a sensor writes.

use super::snippet::Snippet;

/// The sensor's part of a listener for a registry. The secret goes into a file, so that the settings can be shown to anybody.
pub(super) fn listener(registry: &str, sender: &str, secret: &str) -> Vec<Snippet> {
    let file = format!("/etc/portolan-agent/notify-{registry}");
    vec![
        Snippet {
            place: format!(
                "on the sensor: the secret, in {file}, for the agent's user alone (a shell keeps a line that begins with a space out of its history)"
            ),
            text: format!(" (umask 077; printf '%s' '{secret}' > {file}) && chown portolan-agent {file}"),
        },
        Snippet {
            place: "on the sensor: the settings file of the agent; then restart it".to_owned(),
            text: format!(
                "\
[notify]
listen = \"0.0.0.0:5443\"
certificate = \"/etc/portolan-agent/notify.crt\"   # for the name by which the registry calls it
key = \"/etc/portolan-agent/notify.key\"
public_url = \"https://SENSOR-HOST:5443/notify\"

[[notify.registry]]
name = \"{registry}\"
sender = \"{sender}\"
secret_file = \"{file}\"
from = [\"REGISTRY-ADDRESS/32\"]"
            ),
        },
    ]
}
