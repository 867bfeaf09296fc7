//! Which identity each sensor had when it was first sealed to: what the control plane can change no more.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use portolan_shared::model::{SensorId, TenantId};
use portolan_shared::process::{FileError, create_private_dir, read_bounded, write_atomically};
use portolan_shared::secret::sealed::IdentityFingerprint;
use serde::{Deserialize, Serialize};

use crate::cli::failure::CliError;

/// Largest file that is read or written, in bytes: some 3,000 sensors. A larger one is an error.
const BYTES: u64 = 1024 * 1024;
const NAME: &str = "pins.json";
const LOCK: &str = "pins.lock";
const FORM: u32 = 1;

/// A sensor of a tenant of a control plane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pinned {
    /// Address of the control plane.
    pub(super) control_plane: String,
    pub(super) tenant: TenantId,
    pub(super) sensor: SensorId,
    /// Its name, by which people ask for it.
    pub(super) name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pin {
    control_plane: String,
    tenant: TenantId,
    sensor: SensorId,
    name: String,
    fingerprint: IdentityFingerprint,
    pinned_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    form: u32,
    pins: Vec<Pin>,
}

/// What is known of a sensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// Nothing.
    Never,
    /// This fingerprint.
    Same,
    /// Another one, or another sensor had its name.
    Otherwise(IdentityFingerprint, Timestamp),
}

/// The file of pins.
#[derive(Debug)]
pub(super) struct Pins {
    folder: PathBuf,
}

impl Pin {
    fn is_of(&self, sensor: &Pinned) -> bool {
        self.control_plane == sensor.control_plane
            && self.tenant == sensor.tenant
            && self.sensor == sensor.sensor
    }

    /// A sensor is asked for by its name, and it is the control plane that says which one has it. So one that comes under a known name is
    /// not a new one, whatever its id and its tenant are said to be.
    fn is_by_name(&self, sensor: &Pinned) -> bool {
        self.control_plane == sensor.control_plane && self.name == sensor.name
    }
}

impl Pins {
    /// The file in the folder that `portolan login` uses too.
    pub(super) fn open(folder: Option<&Path>) -> Result<Self, CliError> {
        let folder = folder.ok_or_else(|| {
            CliError::Usage(
                "there is no home directory to remember the sensors' fingerprints in: set XDG_CONFIG_HOME"
                    .to_owned(),
            )
        })?;
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.join(NAME)
    }

    /// What is known of a sensor that shows this fingerprint.
    pub(super) fn known(&self, sensor: &Pinned, fingerprint: IdentityFingerprint) -> Result<Known, CliError> {
        let pins = self.read()?;
        let own = pins.iter().find(|pin| pin.is_of(sensor));
        Ok(match own.or(pins.iter().find(|pin| pin.is_by_name(sensor))) {
            None => Known::Never,
            Some(pin) if pin.fingerprint == fingerprint => Known::Same,
            Some(pin) => Known::Otherwise(pin.fingerprint, pin.pinned_at),
        })
    }

    /// Remembers a sensor, in the place of what was remembered of it or by its name.
    pub(super) fn pin(
        &self,
        sensor: Pinned,
        fingerprint: IdentityFingerprint,
        now: Timestamp,
    ) -> Result<(), CliError> {
        create_private_dir(&self.folder)?;
        let path = self.folder.join(LOCK);
        let failed = |action| {
            let path = path.clone();
            move |source| FileError::Io { action, path, source }
        };
        // Of two commands at once, none loses what the other pinned. Held until it is dropped.
        let lock = File::create(&path).map_err(failed("create"))?;
        lock.lock().map_err(failed("lock"))?;
        let mut pins = self.read()?;
        pins.retain(|pin| !pin.is_of(&sensor) && !pin.is_by_name(&sensor));
        pins.push(Pin {
            control_plane: sensor.control_plane,
            tenant: sensor.tenant,
            sensor: sensor.sensor,
            name: sensor.name,
            fingerprint,
            pinned_at: now,
        });
        let wire = Wire { form: FORM, pins };
        let text = serde_json::to_vec_pretty(&wire).map_err(|_| self.damaged("it cannot be written"))?;
        if text.len() as u64 > BYTES {
            return Err(self.damaged("it has too many sensors"));
        }
        Ok(write_atomically(&self.path(), &text)?)
    }

    fn read(&self) -> Result<Vec<Pin>, CliError> {
        let path = self.path();
        let Some(bytes) = read_bounded(&path, BYTES)? else {
            return Ok(Vec::new());
        };
        let file = std::fs::metadata(&path).map_err(|source| FileError::Io {
            action: "look at",
            path,
            source,
        })?;
        if file.mode() & 0o022 != 0 {
            return Err(self.damaged("others than its owner can write to it"));
        }
        let wire: Wire = serde_json::from_slice(&bytes).map_err(|_| self.damaged("it is not in its form"))?;
        if wire.form != FORM {
            return Err(self.damaged("it is of a form that this version does not know"));
        }
        let repeated = |(at, pin): (usize, &Pin)| {
            let same = |other: &Pin| {
                pin.control_plane == other.control_plane
                    && pin.tenant == other.tenant
                    && pin.sensor == other.sensor
            };
            wire.pins[..at].iter().any(same)
        };
        if wire.pins.iter().enumerate().any(repeated) {
            return Err(self.damaged("it has a sensor twice"));
        }
        Ok(wire.pins)
    }

    fn damaged(&self, why: &'static str) -> CliError {
        CliError::Pins {
            path: self.path(),
            why,
        }
    }
}

#[cfg(test)]
#[path = "pins_tests.rs"]
mod tests;
