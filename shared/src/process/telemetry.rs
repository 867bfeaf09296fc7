//! Logging: one line an event, for people or as JSON.

use std::fmt;
use std::str::FromStr;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::layer;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// What a log line looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "human" => Ok(Self::Human),
            "json" => Ok(Self::Json),
            _ => Err("expected human or json"),
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Human => "human",
            Self::Json => "json",
        })
    }
}

/// Logging could not be started.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is not one.
    #[error("log filter {0:?} is not valid: expected a level, or target=level pairs separated by commas")]
    Filter(String),
    /// Logging was started before.
    #[error("logging was started twice")]
    Twice,
}

/// Starts logging to standard error. `filter` is a level (`info`) or a list such as `info,portolan=debug`.
pub fn start_logging(format: LogFormat, filter: &str) -> Result<(), TelemetryError> {
    use std::io::IsTerminal as _;
    let targets = read_filter(filter)?;
    let lines = layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let lines = match format {
        LogFormat::Human => lines.with_target(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry()
        .with(lines.with_filter(targets))
        .try_init()
        .map_err(|_| TelemetryError::Twice)
}

/// Targets and levels alone, without spans and fields: those need regular expressions, which weigh as much as the rest of logging.
fn read_filter(text: &str) -> Result<Targets, TelemetryError> {
    text.parse().map_err(|_| TelemetryError::Filter(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn filters_are_levels_and_targets() {
        let would = |filter: &str, target, level| read_filter(filter).unwrap().would_enable(target, &level);
        assert!(would("info", "h2", Level::INFO) && !would("info", "h2", Level::DEBUG));
        let mixed = "warn,portolan_agent=debug,portolan_agent::uplink=off";
        assert!(would(mixed, "portolan_agent::jobs", Level::DEBUG) && would(mixed, "h2", Level::WARN));
        assert!(!would(mixed, "h2", Level::INFO) && !would(mixed, "portolan_agent::uplink", Level::ERROR));
        for wrong in ["portolan=loud", "a=b=c"] {
            assert!(
                matches!(read_filter(wrong), Err(TelemetryError::Filter(_))),
                "{wrong}"
            );
        }
    }
}
