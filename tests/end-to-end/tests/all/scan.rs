//! Looks for secrets where they must not be: in files, in every column of a database, in logs, in command lines and environments; as they
//! are, and in the forms in which programs write bytes down.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use data_encoding::{BASE64, BASE64URL, HEXLOWER, HEXUPPER};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Row as _, SqliteConnection};

/// Fewer bytes would be found by chance.
const SHORTEST: usize = 12;

/// Something that must not be found, but in the one file that holds it.
#[derive(Debug, Clone)]
pub(crate) struct Secret {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) at_home: Option<PathBuf>,
}

impl Secret {
    pub(crate) fn new(name: &str, bytes: &[u8]) -> Self {
        Self {
            name: name.to_owned(),
            bytes: bytes.to_vec(),
            at_home: None,
        }
    }

    /// One that a file of these programs holds, and nothing else.
    pub(crate) fn in_file(path: &Path, bytes: &[u8]) -> Self {
        Self {
            at_home: Some(path.to_owned()),
            ..Self::new(&path.display().to_string(), bytes)
        }
    }
}

struct Needle {
    secret: usize,
    form: &'static str,
    bytes: Vec<u8>,
}

/// Looks for a list of secrets, and remembers what it found and how much it has seen.
pub(crate) struct Scan {
    secrets: Vec<Secret>,
    /// By their first two bytes.
    needles: Vec<Vec<Needle>>,
    pub(crate) found: BTreeSet<String>,
    pub(crate) seen: usize,
    pub(crate) columns: usize,
}

/// The base64 characters that bytes give wherever they stand in what is encoded: by each of the three ways in which they can lie.
fn base64(bytes: &[u8], encoding: &data_encoding::Encoding) -> Vec<Vec<u8>> {
    (0..3)
        .map(|shift| {
            let mut shifted = vec![0; shift];
            shifted.extend_from_slice(bytes);
            let text = encoding.encode(&shifted).into_bytes();
            let whole = shifted.len() * 8 / 6;
            text[(shift * 8).div_ceil(6)..whole].to_vec()
        })
        .collect()
}

fn percent(bytes: &[u8], upper: bool) -> Vec<u8> {
    let mut text = String::new();
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            text.push(char::from(*byte));
        } else if upper {
            text.push_str(&format!("%{byte:02X}"));
        } else {
            text.push_str(&format!("%{byte:02x}"));
        }
    }
    text.into_bytes()
}

fn forms(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let list = format!("{bytes:?}");
    let mut forms = vec![
        ("as it is", bytes.to_vec()),
        ("in hexadecimal", HEXLOWER.encode(bytes).into_bytes()),
        ("in hexadecimal", HEXUPPER.encode(bytes).into_bytes()),
        ("percent-encoded", percent(bytes, true)),
        ("percent-encoded", percent(bytes, false)),
        (
            "as a list of numbers",
            list.trim_matches(['[', ']']).as_bytes().to_vec(),
        ),
        ("escaped", bytes.escape_ascii().to_string().into_bytes()),
    ];
    for encoding in [&BASE64, &BASE64URL] {
        forms.extend(
            base64(bytes, encoding)
                .into_iter()
                .map(|form| ("in base64", form)),
        );
    }
    forms.sort();
    forms.dedup_by(|a, b| a.1 == b.1);
    forms
}

impl Scan {
    pub(crate) fn of(secrets: Vec<Secret>) -> Self {
        let mut needles: Vec<Vec<Needle>> = (0..=usize::from(u16::MAX)).map(|_| Vec::new()).collect();
        for (secret, Secret { name, bytes, .. }) in secrets.iter().enumerate() {
            assert!(bytes.len() >= SHORTEST, "{name} is too short to be looked for");
            for (form, bytes) in forms(bytes) {
                needles[usize::from(u16::from_be_bytes([bytes[0], bytes[1]]))].push(Needle {
                    secret,
                    form,
                    bytes,
                });
            }
        }
        Self {
            secrets,
            needles,
            found: BTreeSet::new(),
            seen: 0,
            columns: 0,
        }
    }

    /// Looks at some bytes of a place.
    pub(crate) fn bytes(&mut self, place: &str, bytes: &[u8]) {
        self.look(place, None, bytes);
    }

    fn look(&mut self, place: &str, file: Option<&Path>, bytes: &[u8]) {
        self.seen += bytes.len();
        for (at, pair) in bytes.windows(2).enumerate() {
            for needle in &self.needles[usize::from(u16::from_be_bytes([pair[0], pair[1]]))] {
                let secret = &self.secrets[needle.secret];
                if bytes[at..].starts_with(&needle.bytes)
                    && (file.is_none() || secret.at_home.as_deref() != file)
                {
                    self.found
                        .insert(format!("{} is in {place}, {}", secret.name, needle.form));
                }
            }
        }
    }

    /// Looks at a file, or at every file below a folder.
    pub(crate) fn files(&mut self, path: &Path) -> anyhow::Result<()> {
        let kind = fs::symlink_metadata(path)
            .with_context(|| path.display().to_string())?
            .file_type();
        if kind.is_dir() {
            for entry in fs::read_dir(path)? {
                self.files(&entry?.path())?;
            }
        } else if kind.is_file() {
            self.look(&path.display().to_string(), Some(path), &fs::read(path)?);
        }
        Ok(())
    }

    /// Looks at every value of a SQLite database, which may lie in its file in pieces.
    pub(crate) async fn database(&mut self, path: &Path) -> anyhow::Result<()> {
        let options = SqliteConnectOptions::new().filename(path).read_only(true);
        let mut connection: SqliteConnection = options.connect().await?;
        let columns = sqlx::query(
            "SELECT tables.name, columns.name FROM sqlite_schema AS tables, pragma_table_xinfo(tables.name) AS columns
             WHERE tables.type = 'table'",
        )
        .fetch_all(&mut connection)
        .await?;
        for column in &columns {
            let (table, column): (String, String) = (column.try_get(0)?, column.try_get(1)?);
            let select =
                format!("SELECT CAST(\"{column}\" AS BLOB) FROM \"{table}\" WHERE \"{column}\" IS NOT NULL");
            for row in sqlx::query(AssertSqlSafe(select))
                .fetch_all(&mut connection)
                .await?
            {
                self.bytes(&format!("{table}.{column}"), row.try_get::<&[u8], _>(0)?);
            }
            self.columns += 1;
        }
        Ok(())
    }

    /// Looks at the command line and the environment of a running process.
    pub(crate) fn process(&mut self, id: u32) -> anyhow::Result<()> {
        for what in ["cmdline", "environ"] {
            let path = format!("/proc/{id}/{what}");
            let bytes = fs::read(&path)?;
            anyhow::ensure!(!bytes.is_empty(), "{path} is empty");
            self.bytes(&path, &bytes);
        }
        Ok(())
    }
}

fn planted() -> Secret {
    Secret::new("the planted secret", b"p\0l!a/n?t+e d\xffsecret")
}

#[test]
fn what_is_planted_is_found_in_every_form_and_place_but_at_home() {
    let folder = tempfile::tempdir().unwrap();
    let (home, other) = (folder.path().join("home"), folder.path().join("other"));
    let secret = Secret {
        at_home: Some(home.clone()),
        ..planted()
    };
    let header = BASE64.encode(&[b"somebody:".as_slice(), &secret.bytes, b" and more"].concat());
    let mut all = forms(&secret.bytes);
    all.push(("in base64", header.into_bytes()));
    for (form, bytes) in &all {
        fs::write(&other, [b"before ".as_slice(), bytes, b" behind"].concat()).unwrap();
        let mut scan = Scan::of(vec![secret.clone()]);
        scan.files(folder.path()).unwrap();
        assert!(
            scan.found
                .iter()
                .any(|found| found.contains("other") && found.ends_with(form)),
            "{form}"
        );
    }
    fs::write(&home, &secret.bytes).unwrap();
    fs::write(&other, &secret.bytes[1..]).unwrap();
    let mut scan = Scan::of(vec![secret]);
    scan.files(folder.path()).unwrap();
    assert!(scan.found.is_empty() && scan.seen > 0, "{:?}", scan.found);
}

#[tokio::test]
async fn what_is_planted_in_a_column_is_found_though_the_file_holds_it_in_pieces() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("planted.db");
    let options = SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    let secret = Secret::new(
        "the planted secret",
        &[b"long".repeat(3_000), planted().bytes].concat(),
    );
    for statement in [
        "CREATE TABLE a (x TEXT, y ANY)",
        "INSERT INTO a VALUES ('nothing', NULL)",
    ] {
        sqlx::query(statement).execute(&mut connection).await.unwrap();
    }
    sqlx::query("INSERT INTO a VALUES ('nothing', ?1)")
        .bind(&secret.bytes)
        .execute(&mut connection)
        .await
        .unwrap();
    let mut scan = Scan::of(vec![secret]);
    scan.files(folder.path()).unwrap();
    assert!(
        scan.found.is_empty(),
        "no page of the file holds so much: {:?}",
        scan.found
    );
    scan.database(&path).await.unwrap();
    assert_eq!(
        scan.found.iter().map(String::as_str).collect::<Vec<_>>(),
        ["the planted secret is in a.y, as it is"]
    );
}
