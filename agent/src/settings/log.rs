//! What is logged, and how.

use portolan_shared::process::LogFormat;

use super::source::{Found, Source};

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// A level, or `target=level` pairs separated by commas.
    pub filter: String,
    /// For people or for machines.
    pub format: LogFormat,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            filter: "info".to_owned(),
            format: LogFormat::Human,
        }
    }
}

impl LogSettings {
    pub(super) fn read(source: &mut Source<'_>, filter: Option<Found>, format: Option<Found>) -> Self {
        let default = Self::default();
        Self {
            filter: filter.map_or(default.filter, |found| found.text),
            format: source
                .read(format, |text| text.parse().map_err(str::to_owned))
                .unwrap_or(default.format),
        }
    }
}
