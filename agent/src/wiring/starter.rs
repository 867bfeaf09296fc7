//! Who started this process: some look at its exit code, and some start it again whatever that is.

use crate::settings::Environment;

/// Set by systemd for everything below a unit, which may be another supervisor that knows no exit codes.
const INVOCATION: &str = "INVOCATION_ID";
/// Set by systemd since version 248 to the process that it started itself.
const STARTED_ITSELF: &str = "SYSTEMD_EXEC_PID";

/// The id of the first process of a container.
const FIRST: u32 = 1;

/// Whoever started this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Starter {
    /// systemd, whose units say which exit codes are final.
    Systemd,
    /// Somebody who looks at a terminal; not who gives one to a container, whose first process this is.
    Person,
    /// Another program: a container's runtime, or a supervisor.
    Program,
}

impl Starter {
    /// As far as the environment of this process, which has the id `process`, tells; and whether its messages go to a terminal.
    #[must_use]
    pub fn of(environment: &Environment, process: u32, at_terminal: bool) -> Self {
        let is_own = |id: &str| id == process.to_string();
        if environment.get(INVOCATION).is_some() && environment.get(STARTED_ITSELF).is_none_or(is_own) {
            Self::Systemd
        } else if at_terminal && process != FIRST {
            Self::Person
        } else {
            Self::Program
        }
    }

    /// Whether it leaves a process alone that ended with a code that says so.
    #[must_use]
    pub fn heeds_codes(self) -> bool {
        match self {
            Self::Systemd | Self::Person => true,
            Self::Program => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_of_systemd_and_a_person_are_told_from_what_starts_programs_again_and_again() {
        let of_process = |process, variables: &[(&str, &str)], at_terminal| {
            let variables = variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            Starter::of(&variables.collect(), process, at_terminal)
        };
        let of = |variables: &[(&str, &str)], at_terminal| of_process(4711, variables, at_terminal);
        let unit = (INVOCATION, "0123456789abcdef0123456789abcdef");
        assert_eq!(of(&[unit, (STARTED_ITSELF, "4711")], false), Starter::Systemd);
        assert_eq!(of(&[unit], false), Starter::Systemd, "before version 248");
        assert_eq!(
            of(&[unit, (STARTED_ITSELF, "4710")], false),
            Starter::Program,
            "a supervisor that is a unit"
        );
        assert_eq!(of(&[(STARTED_ITSELF, "4711")], false), Starter::Program);
        assert_eq!(of(&[(INVOCATION, "")], false), Starter::Program);
        assert_eq!(of(&[], false), Starter::Program);
        assert_eq!(of(&[], true), Starter::Person);
        assert_eq!(
            of_process(1, &[], true),
            Starter::Program,
            "a container with a terminal"
        );
        assert!(
            Starter::Systemd.heeds_codes()
                && Starter::Person.heeds_codes()
                && !Starter::Program.heeds_codes()
        );
    }
}
