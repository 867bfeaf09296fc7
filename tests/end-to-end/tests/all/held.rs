//! The secrets that files of the two programs hold.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use data_encoding::BASE64;
use serde_json::Value;

use crate::scan::Secret;

/// Every file below a folder.
fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(files(&entry.path())?);
        } else if entry.file_type()?.is_file() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// What keeps a key private, of a PKCS #8 document: the octet string of 32 bytes.
fn private_part(pkcs8: &[u8]) -> Option<Vec<u8>> {
    let found = pkcs8
        .windows(34)
        .find(|window| window.starts_with(&[0x04, 0x20]))?;
    Some(found[2..].to_vec())
}

/// The private key among the PEM blocks of a file.
fn in_pem(content: &[u8]) -> Option<Vec<u8>> {
    let text = String::from_utf8_lossy(content);
    let (_, behind) = text.split_once("-----BEGIN PRIVATE KEY-----")?;
    let (block, _) = behind.split_once("-----END PRIVATE KEY-----")?;
    BASE64.decode(block.lines().collect::<String>().as_bytes()).ok()
}

/// The members `key` of a JSON document, wherever they are.
fn json_keys(value: &Value, found: &mut Vec<Vec<u8>>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value
                    .as_str()
                    .and_then(|text| BASE64.decode(text.as_bytes()).ok())
                {
                    Some(key) if name == "key" => found.push(key),
                    _ => json_keys(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| json_keys(item, found)),
        _ => {}
    }
}

/// The secrets of a state file by its name; none for those that hold no secret.
fn of_file(path: &Path) -> anyhow::Result<Vec<Secret>> {
    let content = fs::read(path)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Behind the first line, which holds the checksum.
    let payload = content
        .split(|byte| *byte == b'\n')
        .next()
        .map_or(0, |line| line.len() + 1);
    let payload = content.get(payload..).unwrap_or_default();
    let parts: Vec<Vec<u8>> = match &*name {
        "sealing.keys" | "certificate" | "certificate.previous" => {
            let mut keys = Vec::new();
            json_keys(&serde_json::from_slice(payload)?, &mut keys);
            keys.into_iter()
                .map(|key| private_part(&key).unwrap_or(key))
                .collect()
        }
        "continuity" => vec![payload.to_vec()],
        "pepper" | "audit.key" => vec![content],
        "identity.key" => private_part(payload).into_iter().collect(),
        name if name.ends_with(".pem") => match in_pem(&content) {
            Some(key) => private_part(&key).into_iter().collect(),
            None => return Ok(Vec::new()),
        },
        _ => return Ok(Vec::new()),
    };
    anyhow::ensure!(!parts.is_empty(), "no secret was found in {}", path.display());
    Ok(parts.iter().map(|part| Secret::in_file(path, part)).collect())
}

/// All that were seen in files at some moment. What has been replaced since is to be nowhere at all.
#[derive(Default)]
pub(crate) struct Held(BTreeMap<Vec<u8>, Secret>);

impl Held {
    /// Looks at all files below these folders as they are now.
    pub(crate) fn look(&mut self, folders: &[PathBuf]) -> anyhow::Result<()> {
        for secret in self.0.values_mut() {
            secret.at_home = None;
        }
        for folder in folders {
            for file in files(folder)? {
                for secret in of_file(&file)? {
                    self.0.insert(secret.bytes.clone(), secret);
                }
            }
        }
        Ok(())
    }

    /// Secrets that no file holds any more.
    pub(crate) fn replaced(&self) -> usize {
        self.0.values().filter(|secret| secret.at_home.is_none()).count()
    }

    /// Every secret that was ever seen, with the file that holds it now.
    pub(crate) fn secrets(self) -> impl Iterator<Item = Secret> {
        self.0.into_values()
    }
}
