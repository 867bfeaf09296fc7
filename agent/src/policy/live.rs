//! The policy in force, which a signal can have read again.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use super::control_plane::ControlPlaneDoors;
use super::decide::Policy;
use super::file::PolicyError;
use super::owner::{Standing, standing};

/// The policy in force. Cheap to share; every decision asks for the current one.
#[derive(Debug)]
pub struct LivePolicy {
    path: PathBuf,
    current: watch::Sender<Arc<Policy>>,
    fault: RwLock<Option<String>>,
    control_plane: Arc<ControlPlaneDoors>,
}

impl LivePolicy {
    /// Reads the file.
    ///
    /// # Errors
    /// If it cannot be read or has a fault: an agent does not start with a policy that is not what its author meant.
    pub fn load(path: &Path) -> Result<Self, PolicyError> {
        Ok(Self {
            path: path.to_owned(),
            current: watch::Sender::new(Arc::new(Policy::load(path)?)),
            fault: RwLock::new(None),
            control_plane: Arc::default(),
        })
    }

    /// The same, for a sensor of this control plane: it is never contacted as a registry, whatever the file says.
    #[must_use]
    pub fn of_sensor(self, control_plane: Arc<ControlPlaneDoors>) -> Self {
        Self {
            control_plane,
            ..self
        }
    }

    /// Where this sensor's control plane listens.
    #[must_use]
    pub fn control_plane(&self) -> &Arc<ControlPlaneDoors> {
        &self.control_plane
    }

    /// Which file it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The policy in force now.
    #[must_use]
    pub fn current(&self) -> Arc<Policy> {
        Arc::clone(&self.current.borrow())
    }

    /// The policy in force now, and each that comes into force after it: for whoever keeps to what an earlier one said.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<Arc<Policy>> {
        self.current.subscribe()
    }

    /// Why the file as it is now is not in force, if it is not.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        self.fault.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Who but the machine's administrator can change the file, in words.
    #[must_use]
    pub fn exposure(&self) -> Option<String> {
        exposure(&self.path)
    }

    /// Reads the file again. If that fails nothing is allowed until it is mended: the former policy may be what its author wanted to end.
    pub fn reload(&self) -> Result<(), PolicyError> {
        let loaded = Policy::load(&self.path);
        let fault = loaded.as_ref().err().map(ToString::to_string);
        *self.fault.write().unwrap_or_else(PoisonError::into_inner) = fault;
        let (policy, result) = match loaded {
            Ok(policy) => (policy, Ok(())),
            Err(error) => (Policy::nothing(), Err(error)),
        };
        self.current.send_if_modified(|current| {
            let changed = **current != policy;
            if changed {
                *current = Arc::new(policy);
            }
            changed
        });
        result
    }
}

/// Who but the machine's administrator can change this policy file, in words.
#[must_use]
pub fn exposure(path: &Path) -> Option<String> {
    // Without a file nothing is allowed; one that cannot be opened is told of as a fault.
    match standing(path, &File::open(path).ok()?) {
        Standing::Others(who) => Some(format!("the policy {}: {who}", path.display())),
        // Everybody: such a file is not read at all.
        Standing::Administrator | Standing::Everybody => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_faulty_file_allows_nothing_until_it_is_mended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.toml");
        std::fs::write(&path, "version = 1\n[[allow]]\nhost = \"h\"\n").unwrap();
        let live = LivePolicy::load(&path).unwrap();
        let url = "https://h".parse().unwrap();
        assert!(live.current().allows_registry(&url).is_ok());
        std::fs::write(&path, "version = 1\n[[allow]]\nhots = \"h\"\n").unwrap();
        live.reload().unwrap_err();
        assert!(live.current().is_empty() && live.fault().unwrap().contains("line 3"));
        std::fs::write(&path, "version = 1\n[[allow]]\nhost = \"h\"\n").unwrap();
        live.reload().unwrap();
        assert!(live.current().allows_registry(&url).is_ok() && live.fault().is_none());
    }
}
