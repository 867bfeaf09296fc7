//! The settings file.

use std::path::{Path, PathBuf};

use portolan_shared::model::printable;
use portolan_shared::process::read_bounded;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Largest settings file, in bytes: refused above.
const MAX_BYTES: u64 = 64 * 1024;
/// Longest report of one fault, in bytes; it is cut above.
const FAULT: usize = 256;
/// Faults of one file that are reported; the rest is counted.
const FAULTS: usize = 20;

/// The file as it is written.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) data_dir: Option<PathBuf>,
    pub(super) sensors: Sensors,
    pub(super) http: Http,
    pub(super) metrics: Metrics,
    pub(super) webhooks: Webhooks,
    pub(super) runs: Runs,
    pub(super) log: Log,
}

#[derive(Debug, Default)]
pub(super) struct Sensors {
    pub(super) listen: Option<String>,
    pub(super) url: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct Http {
    pub(super) listen: Option<String>,
    pub(super) tls_certificate: Option<PathBuf>,
    pub(super) tls_key: Option<PathBuf>,
    pub(super) per_source: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct Metrics {
    pub(super) listen: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct Webhooks {
    pub(super) allow: Vec<String>,
}

#[derive(Debug, Default)]
pub(super) struct Runs {
    pub(super) per_tenant: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) format: Option<String>,
    pub(super) filter: Option<String>,
}

/// Reads the file as far as it can be read. What is wrong with it goes to `faults`, one line each; none quotes the file, but for keys that
/// are not known: a mistyped key must not be silently without effect.
pub(super) fn read(path: &Path, faults: &mut Vec<String>) -> File {
    let text = match load(path) {
        Ok(text) => text,
        Err(fault) => {
            faults.push(fault);
            return File::default();
        }
    };
    let mut reader = Reader {
        path,
        text: &text,
        faults: Vec::new(),
    };
    let file = reader.read();
    // In the order of the file, which a person reads from its beginning.
    reader.faults.sort();
    let more = reader.faults.len().saturating_sub(FAULTS);
    faults.extend(reader.faults.into_iter().take(FAULTS).map(|(_, fault)| fault));
    if more > 0 {
        faults.push(format!("{}: and {more} more", path.display()));
    }
    file
}

fn load(path: &Path) -> Result<String, String> {
    let bytes = read_bounded(path, MAX_BYTES)
        .map_err(|error| match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        })?
        .ok_or_else(|| format!("--config: {} does not exist", path.display()))?;
    String::from_utf8(bytes).map_err(|_| format!("{} is not UTF-8", path.display()))
}

struct Reader<'f> {
    path: &'f Path,
    text: &'f str,
    /// Line and report.
    faults: Vec<(usize, String)>,
}

impl Reader<'_> {
    fn read(&mut self) -> File {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        if !errors.is_empty() {
            // What a parser makes of a broken file is a guess: its keys are not judged.
            for error in errors {
                let at = error.span().map_or(0, |span| span.start);
                self.fault(at, error.message());
            }
            return File::default();
        }
        let mut file = File::default();
        for (key, value) in table.get_ref() {
            let name = key.get_ref().as_ref();
            match name {
                "data-dir" => file.data_dir = self.text_of(name, value).map(PathBuf::from),
                "sensors" | "http" | "metrics" | "webhooks" | "runs" | "log" => {
                    self.section(&mut file, name, value);
                }
                unknown => self.fault(key.span().start, &format!("unknown key {unknown:?}")),
            }
        }
        file
    }

    fn section(&mut self, file: &mut File, section: &str, value: &Spanned<DeValue<'_>>) {
        let Some(table) = value.get_ref().as_table() else {
            self.fault(
                value.span().start,
                &format!("expected {section} to be a table: [{section}]"),
            );
            return;
        };
        for (key, value) in table {
            let name = format!("{section}.{}", key.get_ref());
            let slot = match name.as_str() {
                "sensors.listen" => &mut file.sensors.listen,
                "sensors.url" => &mut file.sensors.url,
                "metrics.listen" => &mut file.metrics.listen,
                "log.format" => &mut file.log.format,
                "log.filter" => &mut file.log.filter,
                "http.listen" => &mut file.http.listen,
                "http.tls-certificate" => {
                    file.http.tls_certificate = self.text_of(&name, value).map(PathBuf::from);
                    continue;
                }
                "http.tls-key" => {
                    file.http.tls_key = self.text_of(&name, value).map(PathBuf::from);
                    continue;
                }
                "http.per-source" => {
                    file.http.per_source = self.number_of(&name, value);
                    continue;
                }
                "runs.per-tenant" => {
                    file.runs.per_tenant = self.number_of(&name, value);
                    continue;
                }
                "webhooks.allow" => {
                    file.webhooks.allow = self.texts_of(&name, value);
                    continue;
                }
                unknown => {
                    self.fault(key.span().start, &format!("unknown key {unknown:?}"));
                    continue;
                }
            };
            *slot = self.text_of(&name, value);
        }
    }

    fn text_of(&mut self, name: &str, value: &Spanned<DeValue<'_>>) -> Option<String> {
        let text = value.get_ref().as_str().map(str::to_owned);
        if text.is_none() {
            self.fault(
                value.span().start,
                &format!("expected {name} to be a text in quotes"),
            );
        }
        text
    }

    /// The digits of a number.
    fn number_of(&mut self, name: &str, value: &Spanned<DeValue<'_>>) -> Option<String> {
        let number = value.get_ref().as_integer().map(ToString::to_string);
        if number.is_none() {
            self.fault(value.span().start, &format!("expected {name} to be a number"));
        }
        number
    }

    fn texts_of(&mut self, name: &str, value: &Spanned<DeValue<'_>>) -> Vec<String> {
        let list = value.get_ref().as_array();
        let texts = list.and_then(|list| {
            let texts = list.iter().map(|item| item.get_ref().as_str().map(str::to_owned));
            texts.collect::<Option<Vec<_>>>()
        });
        texts.unwrap_or_else(|| {
            self.fault(
                value.span().start,
                &format!("expected {name} to be a list of texts in quotes"),
            );
            Vec::new()
        })
    }

    fn fault(&mut self, at: usize, what: &str) {
        let before = self.text.as_bytes().iter().take(at);
        let line = before.filter(|byte| **byte == b'\n').count() + 1;
        let fault = format!("{}, line {line}: {what}", self.path.display());
        self.faults.push((line, printable(&fault, FAULT)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults_of(text: &str) -> (File, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("portolan.toml");
        std::fs::write(&path, text).unwrap();
        let mut faults = Vec::new();
        let file = read(&path, &mut faults);
        let told = faults
            .iter()
            .map(|fault| match fault.split_once("portolan.toml") {
                Some((_, told)) => told.to_owned(),
                None => fault.clone(),
            });
        (file, told.collect())
    }

    #[test]
    fn every_key_is_read() {
        let (file, faults) = faults_of(
            "data-dir = '/d'\n[sensors]\nlisten = 'a'\nurl = 'b'\n[http]\nlisten = 'c'\ntls-certificate = 'd'\ntls-key = 'e'\nper-source = 300\n\
             [metrics]\nlisten = 'f'\n[webhooks]\nallow = ['i', 'j']\n[runs]\nper-tenant = 7\n[log]\nformat = 'g'\nfilter = 'h'\n",
        );
        assert!(faults.is_empty(), "{faults:?}");
        let got = [
            file.data_dir.as_deref().and_then(Path::to_str),
            file.sensors.listen.as_deref(),
            file.sensors.url.as_deref(),
            file.http.listen.as_deref(),
            file.http.tls_certificate.as_deref().and_then(Path::to_str),
            file.http.tls_key.as_deref().and_then(Path::to_str),
            file.metrics.listen.as_deref(),
            file.log.format.as_deref(),
            file.log.filter.as_deref(),
        ];
        assert_eq!(
            got.map(Option::unwrap),
            ["/d", "a", "b", "c", "d", "e", "f", "g", "h"]
        );
        assert_eq!(file.webhooks.allow, ["i", "j"]);
        assert_eq!(file.runs.per_tenant.as_deref(), Some("7"));
        assert_eq!(file.http.per_source.as_deref(), Some("300"));
        let (_, faults) = faults_of("[runs]\nper-tenant = 'many'\n");
        assert_eq!(faults, [", line 2: expected runs.per-tenant to be a number"]);
        let (_, faults) = faults_of("[webhooks]\nallow = ['i', 7]\n");
        assert_eq!(
            faults,
            [", line 2: expected webhooks.allow to be a list of texts in quotes"]
        );
    }

    #[test]
    fn faults_are_told_together_with_their_lines_and_without_the_file() {
        let (file, faults) = faults_of(
            "data-dir = 7\nhttp = 'x'\n\n[sensors]\nlissten = 'hunter2'\nurl = 'u'\nlisten = true\n[tls]\nx = 1\n",
        );
        assert_eq!(file.sensors.url.as_deref(), Some("u"), "what is right is read on");
        assert_eq!(
            faults,
            [
                ", line 1: expected data-dir to be a text in quotes",
                ", line 2: expected http to be a table: [http]",
                ", line 5: unknown key \"sensors.lissten\"",
                ", line 7: expected sensors.listen to be a text in quotes",
                ", line 8: unknown key \"tls\"",
            ]
        );
    }

    #[test]
    fn a_file_that_is_not_toml_is_told_by_lines_too() {
        let (_, faults) = faults_of("[sensors]\nurl = hunter2 hunter2\n[log\nfilter = 'x'\n");
        assert!(faults.len() >= 2, "{faults:?}");
        assert!(
            faults[0].starts_with(", line 2: ") && !faults.join("").contains("hunter2"),
            "{faults:?}"
        );
        assert!(faults.iter().all(|fault| !fault.contains('\n')));
    }

    #[test]
    fn reports_are_bounded_in_length_and_number() {
        let long = "k".repeat(FAULT * 2);
        let (_, one) = faults_of(&format!("{long} = 1\n"));
        assert_eq!(one.len(), 1);
        assert!(one[0].len() <= FAULT, "{one:?}");
        let keys = |count: usize| (0..count).map(|n| format!("k{n} = 1\n")).collect::<String>();
        assert_eq!(faults_of(&keys(FAULTS)).1.len(), FAULTS);
        let (_, above) = faults_of(&keys(FAULTS + 3));
        assert_eq!(above.len(), FAULTS + 1);
        assert_eq!(above[FAULTS], ": and 3 more");
    }
}
