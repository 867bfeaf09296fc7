//! Where a setting came from, and the faults found on the way.

use super::environment::Environment;
use super::error::{SettingFault, SettingsError};

/// Looks settings up and collects what is wrong with them.
pub(super) struct Source<'a> {
    environment: &'a Environment,
    faults: Vec<SettingFault>,
}

/// A value with the place it came from.
pub(super) struct Found {
    pub(super) text: String,
    pub(super) place: String,
}

impl<'a> Source<'a> {
    pub(super) fn new(environment: &'a Environment) -> Self {
        Self {
            environment,
            faults: Vec::new(),
        }
    }

    /// The value of a setting: flag, then variable, then file.
    pub(super) fn find(
        &self,
        flag: (&str, Option<&str>),
        variable: &str,
        file: (&str, Option<&str>),
    ) -> Option<Found> {
        let found = |text: &str, place: String| Found {
            text: text.to_owned(),
            place,
        };
        if let Some(text) = flag.1 {
            return Some(found(text, flag.0.to_owned()));
        }
        if let Some(text) = self.environment.get(variable) {
            return Some(found(text, format!("environment variable {variable}")));
        }
        file.1
            .map(|text| found(text, format!("settings file, key {}", file.0)))
    }

    pub(super) fn variable(&self, name: &str) -> Option<Found> {
        self.environment.get(name).map(|text| Found {
            text: text.to_owned(),
            place: format!("environment variable {name}"),
        })
    }

    pub(super) fn fault(&mut self, place: impl Into<String>, what: impl Into<String>) {
        self.faults.push(SettingFault {
            place: place.into(),
            what: what.into(),
        });
    }

    /// Notes a fault, unless it has been noted: some places are looked at for more than one setting.
    pub(super) fn fault_once(&mut self, place: String, what: String) {
        if !self.faults.iter().any(|fault| fault.place == place) {
            self.fault(place, what);
        }
    }

    /// Reads a value, or notes why it cannot be.
    pub(super) fn read<T>(
        &mut self,
        found: Option<Found>,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let found = found?;
        match read(&found.text) {
            Ok(value) => Some(value),
            Err(what) => {
                self.fault(found.place, what);
                None
            }
        }
    }

    pub(super) fn finish<T>(self, settings: T) -> Result<T, SettingsError> {
        if self.faults.is_empty() {
            Ok(settings)
        } else {
            Err(SettingsError(self.faults))
        }
    }
}
