//! The process's environment, as credential references speak of it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use portolan_shared::secret::Secret;

use crate::auth::credential::{Credential, CredentialError};

/// The environment variables, as the process was given them. Passed in, because the environment is read once, at the start.
#[derive(Clone, Default)]
pub struct Environment(Arc<BTreeMap<String, String>>);

impl Environment {
    /// Takes the variables, for instance those of `std::env::vars`.
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(Arc::new(variables.into_iter().collect()))
    }

    /// The value of a variable, unless it is empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Those of these variables that are set, for a program that is started.
    pub(super) fn only<'a>(&'a self, names: &'a [&'a str]) -> impl Iterator<Item = (&'a str, &'a str)> {
        names.iter().filter_map(|name| Some((*name, self.get(name)?)))
    }

    /// The login in `PREFIX_USERNAME` and `PREFIX_SECRET`.
    pub(super) fn login(&self, prefix: &str) -> Result<Credential, CredentialError> {
        let read = |suffix: &str| {
            let name = format!("{prefix}_{suffix}");
            match self.get(&name) {
                Some(value) => Ok(value.to_owned()),
                None => Err(CredentialError::NoVariable(name)),
            }
        };
        Ok(Credential::Login {
            username: read("USERNAME")?,
            secret: Secret::new(read("SECRET")?),
        })
    }
}

impl fmt::Debug for Environment {
    /// Names only: values may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
