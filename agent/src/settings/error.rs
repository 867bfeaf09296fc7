//! What is wrong with the settings, all of it at once.

use std::fmt;

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingFault {
    /// Where it was set: a flag, a variable, or a key of a file.
    pub place: String,
    /// What is wrong. Never repeats a value that may be a secret.
    pub what: String,
}

/// Every fault of the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsError(pub Vec<SettingFault>);

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the settings are not usable:")?;
        for fault in &self.0 {
            write!(f, "\n  {}: {}", fault.place, fault.what)?;
        }
        Ok(())
    }
}

impl std::error::Error for SettingsError {}
