//! Commands that answer with a credential: the control plane names them, the file says what they are.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use portolan_shared::model::{CommandLine, Commands, CredentialReference};
use toml::de::DeTable;

use super::credentials::CredentialPattern;
use super::decide::{Policy, Rule};
use super::faults::Notes;
use super::value::{Value, items, one};

/// `[[command]]` entries: more are refused.
const COMMANDS: usize = 64;
/// Words of a command, its program included: more are refused.
const WORDS: usize = 64;

impl Policy {
    /// What is run for references of the form `command:NAME`.
    #[must_use]
    pub fn commands(&self) -> &Commands {
        &self.commands
    }

    /// What each command is, in plain words.
    pub(super) fn explain_commands(&self, text: &mut String) -> fmt::Result {
        for (name, command) in self.commands.iter() {
            let CommandLine {
                program,
                arguments,
                environment,
            } = command;
            write!(
                text,
                "The credential command:{name} is what {} answers",
                program.display()
            )?;
            if !arguments.is_empty() {
                write!(text, " to {arguments:?}")?;
            }
            let seen = environment
                .iter()
                .fold(String::new(), |seen, name| format!("{seen}, {name}"));
            writeln!(text, ", run without a shell, seeing PATH, HOME{seen}.")?;
        }
        Ok(())
    }
}

/// A name as references write it.
struct Name(String);

impl std::str::FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if CredentialReference::is_name(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(
                "a command's name has letters, digits, '-', '_' and '.', and begins with a letter or digit"
                    .to_owned(),
            )
        }
    }
}

/// Reads `[[command]]`.
pub(super) fn read_commands(value: &Value<'_>, notes: &mut Notes<'_>) -> Commands {
    let at = value.span().start;
    let Some(entries) = value.get_ref().as_array() else {
        notes.add(at, "command must be written as [[command]]");
        return Commands::default();
    };
    if entries.len() > COMMANDS {
        notes.add(at, format!("more than {COMMANDS} [[command]] entries"));
        return Commands::default();
    }
    let mut commands = BTreeMap::new();
    for entry in entries {
        let at = entry.span().start;
        match entry.get_ref().as_table() {
            Some(table) => {
                if let Some((name, command)) = read_command(at, table, notes)
                    && commands.insert(name, command).is_some()
                {
                    notes.add(at, "there is another [[command]] of this name");
                }
            }
            None => notes.add(at, "command must be written as [[command]]"),
        }
    }
    commands.into_iter().collect()
}

fn read_command(at: usize, table: &DeTable<'_>, notes: &mut Notes<'_>) -> Option<(String, CommandLine)> {
    let (mut name, mut run, mut environment) = (None, None, Vec::new());
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "name" => name = Some(one::<Name>(value, notes)),
            "run" => run = Some(read_words(value, notes)),
            "environment" => environment = read_variables(value, notes),
            other => notes.add(
                key.span().start,
                format!("unknown key {other:?}: expected name, run or environment"),
            ),
        }
    }
    for (missing, key) in [(name.is_none(), "name"), (run.is_none(), "run")] {
        if missing {
            notes.add(at, format!("{key} is missing"));
        }
    }
    let (program, arguments) = run??;
    let command = CommandLine {
        program: program.into(),
        arguments,
        environment,
    };
    Some((name??.0, command))
}

/// The program and its arguments. The program is named by its path: whoever can set `PATH` decides nothing.
fn read_words(value: &Value<'_>, notes: &mut Notes<'_>) -> Option<(String, Vec<String>)> {
    let at = value.span().start;
    let words = items(value, "a list of a program and its arguments", notes);
    if words.len() > WORDS {
        notes.add(at, format!("run has more than {WORDS} words"));
        return None;
    }
    let mut read = Vec::with_capacity(words.len());
    for word in words {
        match word.get_ref().as_str().filter(|text| !text.contains('\0')) {
            Some(text) => read.push(text.to_owned()),
            None => notes.add(word.span().start, "expected a text in quotes"),
        }
    }
    if read.len() != words.len() {
        return None;
    }
    let mut read = read.into_iter();
    match read.next().filter(|program| program.starts_with('/')) {
        Some(program) => Some((program, read.collect())),
        None => {
            notes.add(
                at,
                "run begins with the absolute path of a program: [\"/usr/local/bin/x\", \"argument\"]",
            );
            None
        }
    }
}

fn read_variables(value: &Value<'_>, notes: &mut Notes<'_>) -> Vec<String> {
    let mut names = Vec::new();
    for item in items(value, "a list of environment variables", notes) {
        let name = item
            .get_ref()
            .as_str()
            .filter(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
        match name {
            Some(name) => names.push(name.to_owned()),
            None => notes.add(item.span().start, "expected the name of an environment variable"),
        }
    }
    names
}

/// Notes the entries of `[[allow]]` that name commands which are not there.
pub(super) fn check_commands(
    document: &DeTable<'_>,
    rules: &[Rule],
    commands: &Commands,
    notes: &mut Notes<'_>,
) {
    let unknown = |pattern: &CredentialPattern| {
        let name = pattern.command()?;
        commands.get(name).is_none().then(|| name.to_owned())
    };
    if !rules
        .iter()
        .flat_map(|rule| &rule.credentials)
        .any(|pattern| unknown(pattern).is_some())
    {
        return;
    }
    let entries = document.get("allow").and_then(|allow| allow.get_ref().as_array());
    for entry in entries.into_iter().flat_map(|entries| entries.iter()) {
        let table = entry.get_ref().as_table();
        let credentials = table.and_then(|table| table.get("credentials")?.get_ref().as_array());
        for item in credentials.into_iter().flat_map(|items| items.iter()) {
            let pattern = item.get_ref().as_str().and_then(|text| text.parse().ok());
            if let Some(name) = pattern.as_ref().and_then(unknown) {
                notes.add(
                    item.span().start,
                    format!("there is no [[command]] of the name {name}"),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::file::parse;

    const ENTRY: &str = "[[allow]]\nhost = \"h\"\ncredentials = [\"env:*\",\n \"command:vault\"]\n";

    fn faults(text: &str) -> String {
        parse(&format!("version = 1\n{text}")).unwrap_err().to_string()
    }

    #[test]
    fn a_command_is_a_program_its_arguments_and_what_it_may_see() {
        let text = format!(
            "version = 1\n{ENTRY}[[command]]\nname = \"vault\"\nrun = [\"/usr/bin/vault\", \"read\", \"a b\"]\nenvironment = [\"VAULT_ADDR\"]\n"
        );
        let policy = parse(&text).unwrap();
        let command = policy.commands().get("vault").unwrap();
        assert_eq!(command.program, std::path::Path::new("/usr/bin/vault"));
        assert_eq!(command.arguments, ["read", "a b"]);
        assert_eq!(command.environment, ["VAULT_ADDR"]);
        assert!(policy.explain().contains(
            "The credential command:vault is what /usr/bin/vault answers to [\"read\", \"a b\"], run without a shell, seeing PATH, HOME, VAULT_ADDR."
        ));
        let registry = "https://h".parse().unwrap();
        let may = |reference: &str| {
            policy
                .allows_credential(&registry, &reference.parse().unwrap())
                .is_ok()
        };
        assert!(may("command:vault") && !may("command:other"));
    }

    #[test]
    fn every_fault_of_a_command_is_named_with_its_line() {
        assert_eq!(faults(ENTRY), "line 5: there is no [[command]] of the name vault");
        for (text, fault) in [
            ("[[command]]\nrun = [\"/x\"]\n", "line 2: name is missing"),
            ("[[command]]\nname = \"a\"\n", "line 2: run is missing"),
            (
                "[[command]]\nname = \"a/b\"\nrun = [\"/x\"]\n",
                "line 3: a command's name",
            ),
            (
                "[[command]]\nname = \"a\"\nrun = [\"x\"]\n",
                "line 4: run begins with the absolute path",
            ),
            (
                "[[command]]\nname = \"a\"\nrun = []\n",
                "line 4: run begins with the absolute path",
            ),
            (
                "[[command]]\nname = \"a\"\nrun = \"/x y\"\n",
                "line 4: expected a list",
            ),
            (
                "[[command]]\nname = \"a\"\nrun = [\"/x\", 1]\n",
                "line 4: expected a text",
            ),
            (
                "[[command]]\nname = \"a\"\nrun = [\"/x\"]\nenvironment = [\"A=B\"]\n",
                "line 5: expected the name",
            ),
            (
                "[[command]]\nname = \"a\"\nrun = [\"/x\"]\nshell = true\n",
                "line 5: unknown key \"shell\"",
            ),
            (
                "[[command]]\nname = \"a\"\nrun = [\"/x\"]\n[[command]]\nname = \"a\"\nrun = [\"/y\"]\n",
                "line 5: there is another",
            ),
            ("command = 1\n", "line 2: command must be written"),
        ] {
            let said = faults(text);
            assert!(said.contains(fault), "{text}: {said}");
        }
    }

    #[test]
    fn there_are_no_more_commands_and_words_than_their_bounds() {
        let commands = |count: usize| {
            let one = |n| format!("[[command]]\nname = \"c{n}\"\nrun = [\"/x\"]\n");
            parse(&format!(
                "version = 1\n{}",
                (0..count).map(one).collect::<String>()
            ))
        };
        assert!(commands(super::COMMANDS).is_ok() && commands(super::COMMANDS + 1).is_err());
        let words = |count: usize| {
            let words = vec!["\"/x\""; count].join(", ");
            parse(&format!(
                "version = 1\n[[command]]\nname = \"c\"\nrun = [{words}]\n"
            ))
        };
        assert!(words(super::WORDS).is_ok() && words(super::WORDS + 1).is_err());
    }
}
