//! What `portolan registry show NAME --webhook` prints, taken apart as its reader does.

use anyhow::Context as _;

/// Pieces of settings, each with the place where it belongs.
#[derive(Debug, Clone)]
pub struct Printed(Vec<(String, String)>);

impl Printed {
    /// Takes the output of the command apart: a piece begins with `# ` and its place, and ends where prose or another piece begins.
    #[must_use]
    pub fn parse(output: &str) -> Self {
        let mut pieces: Vec<(String, String)> = Vec::new();
        let mut inside = false;
        for line in output.lines() {
            if let Some(place) = line.strip_prefix("# ") {
                pieces.push((place.to_owned(), String::new()));
                inside = true;
            } else if ["A. ", "B. ", "Inside ", "If ", "Then: "]
                .iter()
                .any(|prose| line.starts_with(prose))
            {
                inside = false;
            } else if let Some((_, text)) = pieces.last_mut().filter(|_| inside) {
                text.push_str(line);
                text.push('\n');
            }
        }
        Self(pieces)
    }

    fn piece(&self, wanted: impl Fn(&str, &str) -> bool) -> anyhow::Result<&str> {
        self.0
            .iter()
            .find(|(place, text)| wanted(place, text))
            .map(|(_, text)| text.trim_end())
            .with_context(|| format!("a piece of {self:#?}"))
    }

    /// The secret that is put into a file of the sensor, and the path of that file.
    pub fn listener_secret(&self) -> anyhow::Result<(&str, &str)> {
        let command = self.piece(|place, _| place.starts_with("on the sensor: the secret"))?;
        let secret = command.split('\'').nth(3).context("the secret in the command")?;
        let file = command
            .split("> ")
            .nth(1)
            .and_then(|rest| rest.split(')').next())
            .context("the file in the command")?;
        Ok((secret, file))
    }

    /// What goes into the settings file of the agent.
    pub fn agent_settings(&self) -> anyhow::Result<&str> {
        self.piece(|place, _| place.starts_with("on the sensor: the settings file"))
    }

    /// What goes into the registry's `config.yml`, for the listener of a sensor.
    pub fn for_the_listener(&self) -> anyhow::Result<&str> {
        self.piece(|place, text| place.starts_with("on the registry") && text.contains("/notify/"))
    }

    /// What goes there for the control plane's own door.
    pub fn for_the_control_plane(&self) -> anyhow::Result<&str> {
        self.piece(|place, text| place.starts_with("on the registry") && text.contains("/api/webhooks/"))
    }
}

/// The value of the only `key: value` of a piece in YAML, without the brackets of a list.
pub(crate) fn yaml_value<'p>(piece: &'p str, key: &str) -> anyhow::Result<&'p str> {
    let find = |line: &'p str| line.trim().strip_prefix(key)?.strip_prefix(": ");
    let value = piece.lines().find_map(find);
    Ok(value
        .with_context(|| format!("{key} in {piece}"))?
        .trim_matches(['[', ']']))
}
