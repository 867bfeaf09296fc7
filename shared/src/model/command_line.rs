//! Commands of a machine, by the names that credential references call them by.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// What is run for a name: a program with its arguments, without a shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    /// The program's absolute path.
    pub program: PathBuf,
    /// Its arguments, as they are.
    pub arguments: Vec<String>,
    /// Names of environment variables that it is given beside `PATH` and `HOME`.
    pub environment: Vec<String>,
}

/// The commands of this machine, by name. Whoever names one in a reference has no say in what is run. Cheap to clone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commands(Arc<BTreeMap<String, CommandLine>>);

impl FromIterator<(String, CommandLine)> for Commands {
    fn from_iter<I: IntoIterator<Item = (String, CommandLine)>>(commands: I) -> Self {
        Self(Arc::new(commands.into_iter().collect()))
    }
}

impl Commands {
    /// What is run for a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&CommandLine> {
        self.0.get(name)
    }

    /// All of them, in order of names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &CommandLine)> {
        self.0.iter().map(|(name, command)| (name.as_str(), command))
    }
}
