//! Reads a login: from a person, a pipe or a file. It is never part of an error.

use std::fs::File;
use std::io::{BufRead as _, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use portolan_shared::model::limits;
use portolan_shared::process::FileError;
use portolan_shared::secret::Secret;
use portolan_shared::secret::sealed::CredentialSecret;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::SealArgs;
use crate::cli::Terminal;
use crate::cli::failure::CliError;
use crate::cli::terminal::Silence;

/// Longest login that is read, in bytes: more can never be sealed.
const BYTES: usize = limits::SEALED_PLAIN_BYTES;

/// The login that the flags name.
pub(super) fn read_login(args: &SealArgs, terminal: &mut Terminal) -> Result<CredentialSecret, CliError> {
    if let Some(path) = &args.credential_file {
        return from_file(path);
    }
    let username = args.username.clone().unwrap_or_default();
    let password = if terminal.asks {
        from_person(terminal)?
    } else {
        only_line(bounded(&mut terminal.input, "standard input")?, "standard input")?
    };
    CredentialSecret::new(Secret::new(username), password).map_err(CliError::usage)
}

fn from_person(terminal: &mut Terminal) -> Result<Secret, CliError> {
    write!(terminal.err, "Password: ")?;
    terminal.err.flush()?;
    let silence = Silence::begin();
    let mut line = Zeroizing::new(Vec::with_capacity(BYTES + 1));
    let read = (&mut terminal.input)
        .take(BYTES as u64 + 1)
        .read_until(b'\n', &mut line);
    drop(silence);
    writeln!(terminal.err)?;
    read.map_err(CliError::Input)?;
    only_line(line, "standard input")
}

fn bounded(from: impl std::io::Read, name: &str) -> Result<Zeroizing<Vec<u8>>, CliError> {
    // All of its room at once: a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(BYTES + 1));
    from.take(BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(CliError::Input)?;
    if bytes.len() > BYTES {
        return Err(CliError::Usage(format!("{name} has more than {BYTES} bytes")));
    }
    Ok(bytes)
}

/// The one line that there is, without its end.
fn only_line(mut bytes: Zeroizing<Vec<u8>>, name: &str) -> Result<Secret, CliError> {
    if bytes.len() > BYTES {
        return Err(CliError::Usage(format!("{name} has more than {BYTES} bytes")));
    }
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    if bytes.contains(&b'\n') {
        return Err(CliError::Usage(format!("{name} has more than one line")));
    }
    text(&mut bytes, name)
}

fn text(bytes: &mut Vec<u8>, name: &str) -> Result<Secret, CliError> {
    match String::from_utf8(std::mem::take(bytes)) {
        Ok(text) => Ok(Secret::new(text)),
        Err(error) => {
            drop(Zeroizing::new(error.into_bytes()));
            Err(CliError::Usage(format!("{name} is not UTF-8")))
        }
    }
}

/// A login as JSON: with our names, or with those of docker's credential helpers, which say besides for which server it is.
#[derive(Deserialize)]
struct Json {
    #[serde(alias = "Username")]
    username: String,
    #[serde(alias = "Secret")]
    password: String,
}

fn from_file(path: &Path) -> Result<CredentialSecret, CliError> {
    let shown = path.display().to_string();
    let io = |action| {
        let path = path.to_owned();
        move |source| FileError::Io { action, path, source }
    };
    let file = File::open(path).map_err(io("open"))?;
    // Of the file that was opened, not of the name, which may be another file's by now.
    let mode = file.metadata().map_err(io("look at"))?.mode();
    if mode & 0o077 != 0 {
        return Err(CliError::Usage(format!(
            "{shown} can be used by others than its owner (mode {:04o}): `chmod 600 {shown}`",
            mode & 0o7777
        )));
    }
    let bytes = bounded(file, &shown)?;
    let form = || {
        CliError::Usage(format!(
            "{shown} has neither one line, USER:PASSWORD, nor JSON with username and password"
        ))
    };
    if bytes.trim_ascii_start().first() == Some(&b'{') {
        // The parser's own message could show what it read.
        let json: Json = serde_json::from_slice(&bytes).map_err(|_| form())?;
        let (username, password) = (Secret::new(json.username), Secret::new(json.password));
        return CredentialSecret::new(username, password).map_err(CliError::usage);
    }
    let line = only_line(bytes, &shown)?;
    let (username, password) = line.expose().split_once(':').ok_or_else(form)?;
    CredentialSecret::new(Secret::new(username.to_owned()), Secret::new(password.to_owned()))
        .map_err(CliError::usage)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn read(content: &str, mode: u32) -> Result<CredentialSecret, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("login");
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        from_file(&path).map_err(|error| error.tell())
    }

    #[test]
    fn files_of_both_forms_are_read() {
        for content in [
            "reader:hunter2:x\n",
            "reader:hunter2:x\r\n",
            "reader:hunter2:x",
            r#"{"username": "reader", "password": "hunter2:x"}"#,
            "\n{\"ServerURL\": \"https://h\", \"Username\": \"reader\", \"Secret\": \"hunter2:x\"}\n",
        ] {
            for mode in [0o600, 0o400] {
                let login = read(content, mode).unwrap();
                assert_eq!(
                    (login.username().expose(), login.password().expose()),
                    ("reader", "hunter2:x")
                );
            }
        }
    }

    #[test]
    fn what_is_refused_is_told_without_the_login() {
        for (content, mode, words) in [
            ("reader:hunter2", 0o640, "chmod 600"),
            ("reader:hunter2", 0o604, "mode 0604"),
            ("reader:hunter2", 0o620, "chmod 600"),
            ("hunter2", 0o600, "USER:PASSWORD"),
            ("reader:hunter2\nhunter2\n", 0o600, "more than one line"),
            ("{\"username\": \"hunter2\"}", 0o600, "JSON"),
            ("{\"username\": 1, \"password\": \"hunter2\"}", 0o600, "JSON"),
            ("reader:", 0o600, "the password is empty"),
            ("reader:hunter2\u{7}", 0o600, "control character"),
            ("", 0o600, "USER:PASSWORD"),
        ] {
            let told = read(content, mode).unwrap_err();
            assert!(told.contains(words) && !told.contains("hunter2"), "{told}");
        }
    }

    #[test]
    fn the_longest_login_is_read_and_a_longer_one_refused() {
        let login = |length: usize| format!("u:{}", "p".repeat(length - 2));
        assert!(read(&login(BYTES), 0o600).is_ok());
        assert!(read(&login(BYTES + 1), 0o600).unwrap_err().contains("more than"));
    }
}
