//! The data folder: what lies in it, and what a first start makes. Every step can be interrupted and is then done again; what is lost is
//! never silently made anew.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use portolan_shared::model::{ApiTokenId, TenantId};
use portolan_shared::process::{FileError, Owner, Rng, create_private_dir, read_bounded, write_atomically};
use portolan_shared::secret::SecretBytes;
use portolan_store::{PageRequest, Role, Store, StoreError, Tenant};

use super::lock::Lock;
use crate::app::{App, AppError, AuditKey, Pepper};
use crate::ca::{Authority, CaError};

/// Name of the first tenant.
const FIRST_TENANT: &str = "default";
/// Name of the first API token.
const FIRST_TOKEN: &str = "admin";

/// Why the data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// A file could not be read or written.
    #[error("the data folder cannot be used")]
    File(#[from] FileError),
    /// Another process has it.
    #[error("{} is in use by another control plane", .0.display())]
    InUse(PathBuf),
    /// The lock could not be had for another reason.
    #[error("cannot lock {}", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The database, or something that belongs to it, was there and is not any more.
    #[error("{} is missing; restore it from a backup: without it {loss}", path.display())]
    Lost {
        /// What is missing.
        path: PathBuf,
        /// What is lost with it.
        loss: &'static str,
    },
    /// A file does not hold what it should.
    #[error("{} does not hold {what}", path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// The database is not the one that this control plane last worked on, and nobody has said yet what is to become of what was lost.
    #[error(
        "{} {why}: nothing that was done since is known in it. Run `portolan restore --data-dir {}` first; its --help says what it does",
        path.display(), path.parent().unwrap_or(Path::new(".")).display()
    )]
    Old {
        /// The database.
        path: PathBuf,
        /// What it is.
        why: &'static str,
    },
    /// It is not known whether the database is the present one.
    #[error("the database does not say where it is in time")]
    Pulse(#[source] StoreError),
    /// The CA cannot be used.
    #[error("the CA cannot be used")]
    Ca(#[from] CaError),
    /// The first tenant could not be stored.
    #[error("the first tenant could not be made")]
    Tenant(#[from] StoreError),
    /// The first API token could not be made.
    #[error("the first API token could not be made")]
    Token(#[from] AppError),
}

/// The data folder of one control plane, locked for as long as this lives.
#[derive(Debug)]
pub struct DataDir {
    pub(super) path: PathBuf,
    _lock: Lock,
}

impl DataDir {
    /// Takes the folder; makes it if there is none.
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        create_private_dir(path)?;
        Ok(Self {
            path: path.to_owned(),
            _lock: Lock::take(path)?,
        })
    }

    /// The database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        Self::database_in(&self.path)
    }

    /// The database of a data folder that is perhaps in use.
    #[must_use]
    pub fn database_in(path: &Path) -> PathBuf {
        path.join("portolan.db")
    }

    /// What the server needs beside this database and never makes anew, as far as it is not there.
    pub async fn missing_keys(&self, store: &dyn Store) -> Result<Vec<PathBuf>, DataDirError> {
        let mut needed = ["ca", "pepper"].map(|name| self.path.join(name)).to_vec();
        if was_signed(store).await? {
            needed.push(self.audit_key_file());
        }
        needed.retain(|path| !path.exists());
        Ok(needed)
    }

    /// Whoever the folder belongs to: what root writes for the server's user is to be theirs.
    pub fn owner(&self) -> Result<Owner, FileError> {
        Owner::of(&self.path)
    }

    /// Everything that was renamed here stays so after a crash.
    pub fn sync(&self) -> Result<(), FileError> {
        let synced = File::open(&self.path).and_then(|folder| folder.sync_all());
        synced.map_err(|source| FileError::Io {
            action: "sync",
            path: self.path.clone(),
            source,
        })
    }

    /// Where the first API token is written.
    #[must_use]
    pub fn admin_token(&self) -> PathBuf {
        self.path.join("admin.token")
    }

    /// The CA: read, or made on first start. Must be asked for before the database is opened for the first time.
    pub fn authority(&self, now: Timestamp, rng: Arc<dyn Rng>) -> Result<Authority, DataDirError> {
        let folder = self.path.join("ca");
        let loss = "no sensor that is enrolled could connect";
        self.must_not_be_lost(&folder, loss)?;
        Ok(Authority::open(&folder, now, rng)?)
    }

    /// The key of all hashes: read, or made on first start. Must be asked for before the database is opened for the first time.
    pub fn pepper(&self, rng: &dyn Rng) -> Result<Pepper, DataDirError> {
        let path = self.path.join("pepper");
        let loss = "no API token and no invitation would be recognised";
        self.must_not_be_lost(&path, loss)?;
        Ok(Pepper::new(&key_in(path, Pepper::BYTES, rng)?))
    }

    /// The key that signs checkpoints of audit logs: read, or made if none was ever signed. Must be asked for when the database is open.
    pub async fn audit_key(&self, store: &dyn Store, rng: &dyn Rng) -> Result<AuditKey, DataDirError> {
        let path = self.audit_key_file();
        if !path.exists() && was_signed(store).await? {
            let loss = "no sensor would take a checkpoint of the audit log";
            return Err(DataDirError::Lost { path, loss });
        }
        let key = key_in(path.clone(), AuditKey::BYTES, rng)?;
        AuditKey::from_seed(&key).map_err(|_| DataDirError::Content {
            path,
            what: "a key that signs",
        })
    }

    fn audit_key_file(&self) -> PathBuf {
        self.path.join("audit.key")
    }

    fn must_not_be_lost(&self, path: &Path, loss: &'static str) -> Result<(), DataDirError> {
        if self.database().exists() && !path.exists() {
            return Err(DataDirError::Lost {
                path: path.to_owned(),
                loss,
            });
        }
        Ok(())
    }

    /// Makes the first tenant and its admin token, unless that was done before. The token's file is written after the token was
    /// stored; a marker around both lets an interrupted first start throw away a token that nobody has read.
    pub async fn first_start(&self, app: &App) -> Result<(), DataDirError> {
        let marker = self.path.join("first-start");
        let tenants = app.store.tenants().await?;
        let tenant = match tenants.first() {
            Some(_) if !marker.exists() => return Ok(()),
            Some(tenant) => tenant.id,
            None => {
                write_atomically(&marker, b"")?;
                let id = TenantId::generate(app.clock.as_ref(), app.rng.as_ref());
                app.store
                    .add_tenant(&Tenant {
                        id,
                        name: FIRST_TENANT.to_owned(),
                        created_at: app.clock.now(),
                    })
                    .await?;
                id
            }
        };
        for id in self.unread_tokens(app, tenant).await? {
            app.discard_api_token(tenant, id).await?;
        }
        let (_, token) = app.mint_api_token(tenant, FIRST_TOKEN, Role::Admin, None).await?;
        write_atomically(&self.admin_token(), format!("{}\n", token.expose()).as_bytes())?;
        std::fs::remove_file(&marker).map_err(|source| FileError::Io {
            action: "remove",
            path: marker,
            source,
        })?;
        tracing::info!(path = %self.admin_token().display(), "first start: the admin token is in this file");
        Ok(())
    }

    async fn unread_tokens(&self, app: &App, tenant: TenantId) -> Result<Vec<ApiTokenId>, DataDirError> {
        let tokens = app.store.api_tokens(tenant, &PageRequest::first()).await?;
        Ok(tokens
            .items
            .into_iter()
            .filter(|token| token.token.name == FIRST_TOKEN && token.revoked_at.is_none())
            .map(|token| token.token.id)
            .collect())
    }
}

/// Whether a checkpoint of any audit log was ever signed.
async fn was_signed(store: &dyn Store) -> Result<bool, StoreError> {
    let one = PageRequest {
        after: None,
        limit: 1,
    };
    for tenant in store.tenants().await? {
        if !store.audit_checkpoints(tenant.id, &one).await?.items.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The key in this file, which is made if there is none.
fn key_in(path: PathBuf, bytes: usize, rng: &dyn Rng) -> Result<SecretBytes, DataDirError> {
    let key = match read_bounded(&path, bytes as u64)? {
        Some(key) => SecretBytes::new(key),
        None => {
            let mut key = vec![0; bytes];
            rng.fill(&mut key);
            let key = SecretBytes::new(key);
            write_atomically(&path, key.expose())?;
            key
        }
    };
    if key.expose().len() != bytes {
        return Err(DataDirError::Content {
            path,
            what: "a key of 32 bytes",
        });
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_shared::audit::{AuditHead, ChainOwner, Checkpoint};
    use portolan_shared::process::SeededRng;
    use portolan_store::sqlite::SqliteStore;
    use portolan_store::{Audit as _, Tenants as _};

    #[test]
    fn a_folder_belongs_to_one_process() {
        let folder = tempfile::tempdir().unwrap();
        let held = DataDir::open(folder.path()).unwrap();
        assert!(matches!(
            DataDir::open(folder.path()).unwrap_err(),
            DataDirError::InUse(_)
        ));
        drop(held);
        DataDir::open(folder.path()).unwrap();
    }

    #[test]
    fn what_a_database_depends_on_is_never_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::open(folder.path()).unwrap();
        let rng: Arc<dyn Rng> = Arc::new(SeededRng::new(1));
        let hash = |pepper: Pepper| pepper.hash("test", b"x");
        let first = hash(dir.pepper(rng.as_ref()).unwrap());
        assert_eq!(hash(dir.pepper(rng.as_ref()).unwrap()), first);
        std::fs::write(dir.database(), "").unwrap();
        assert!(matches!(
            dir.authority(Timestamp::UNIX_EPOCH, Arc::clone(&rng))
                .unwrap_err(),
            DataDirError::Lost { .. }
        ));
        std::fs::write(folder.path().join("pepper"), "short").unwrap();
        assert!(matches!(
            dir.pepper(rng.as_ref()).unwrap_err(),
            DataDirError::Content { .. }
        ));
        std::fs::remove_file(folder.path().join("pepper")).unwrap();
        assert!(matches!(
            dir.pepper(rng.as_ref()).unwrap_err(),
            DataDirError::Lost { .. }
        ));
    }

    #[tokio::test]
    async fn the_key_of_checkpoints_is_missed_once_one_was_signed() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::open(folder.path()).unwrap();
        let store = SqliteStore::open(&dir.database()).await.unwrap();
        let rng = SeededRng::new(1);
        let tenant = TenantId::random(&rng);
        let named = Tenant {
            id: tenant,
            name: FIRST_TENANT.to_owned(),
            created_at: Timestamp::UNIX_EPOCH,
        };
        store.add_tenant(&named).await.unwrap();
        let needed = ["ca", "pepper", "audit.key"].map(|name| folder.path().join(name));
        assert_eq!(dir.missing_keys(&store).await.unwrap(), needed[..2]);
        let owner = ChainOwner::Tenant(tenant);
        let key = AuditKey::from_seed(&SecretBytes::new(vec![7; AuditKey::BYTES])).unwrap();
        let head = AuditHead {
            seq: 1,
            hash: owner.genesis().hash,
        };
        let signed = key.sign(Checkpoint::of(owner, &head, Timestamp::UNIX_EPOCH));
        store.add_audit_checkpoint(tenant, &signed).await.unwrap();
        assert_eq!(dir.missing_keys(&store).await.unwrap(), needed);
        assert!(matches!(
            dir.audit_key(&store, &rng).await.unwrap_err(),
            DataDirError::Lost { .. }
        ));
        for path in &needed {
            std::fs::write(path, "").unwrap();
        }
        assert!(dir.missing_keys(&store).await.unwrap().is_empty());
    }
}
