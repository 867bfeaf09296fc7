//! The registry that the demo brings along: what a company with a self-managed GitLab has.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use portolan_doubles::content::Image;
use portolan_doubles::tls::Alpn;
use portolan_doubles::token::Account;
use portolan_doubles::{Content, PrivateCa, RegistryDouble, TokenService};
use portolan_shared::process::{Clock as _, SystemClock, Tasks, write_atomically};
use reqwest::Method;
use serde_json::{Value, json};

/// A registry behind a private CA, whose tokens come from a service of its own. Dropping it stops it.
#[derive(Debug)]
pub struct BroughtRegistry {
    registry: RegistryDouble,
    _tokens: TokenService,
    ca_file: PathBuf,
    credential_file: PathBuf,
}

impl BroughtRegistry {
    /// Starts it; its CA file and a credential file are put into `folder`.
    pub async fn start(folder: &Path, tasks: &Tasks) -> anyhow::Result<Self> {
        let clock = SystemClock;
        let content = Content::demo();
        let ca = PrivateCa::new("Acme", &clock)?;
        let leaf = ca.leaf(&["registry.acme.example"])?;
        let secret = format!("glpat-{:x}", clock.now().as_nanosecond());
        let tokens = TokenService::builder()
            .account(Account::new("portolan", &secret).administrator())
            .start(Some(leaf.server_config(Alpn::Both)?), tasks)
            .await
            .context("start the token service")?;
        let registry = RegistryDouble::builder(content)
            .tokens(&tokens)
            .start(Some(leaf.server_config(Alpn::Both)?), tasks)
            .await
            .context("start the registry")?;
        let credential_file = folder.join("registry.credential");
        write_atomically(&credential_file, format!("portolan:{secret}\n").as_bytes())?;
        Ok(Self {
            registry,
            _tokens: tokens,
            ca_file: ca.write_root(folder)?,
            credential_file,
        })
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        self.registry.url()
    }

    /// The root of its CA, PEM.
    #[must_use]
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// How the agent finds its credential.
    #[must_use]
    pub fn credential_reference(&self) -> String {
        format!("file:{}", self.credential_file.display())
    }

    /// Repositories and tags in it.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        let content = self.registry.content();
        (content.repositories().len(), content.tag_count())
    }

    /// Takes a new image under this tag, as if somebody had pushed it, and gives the notification that a registry sends then.
    #[must_use]
    pub fn push(&self, repository: &str, tag: &str) -> Value {
        let digest = self.registry.change(|content| {
            let mut shelf = content.shelf(repository);
            let digest = shelf.image(&Image::new(&format!("{repository}:{tag}")));
            shelf.tag(tag, &digest);
            digest
        });
        json!({"events": [{
            "id": format!("{repository}:{tag}"),
            "action": "push",
            "target": {
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "repository": repository,
                "tag": tag,
                "digest": digest,
            },
        }]})
    }

    /// What it has been asked so far.
    #[must_use]
    pub fn asked(&self) -> Asked {
        let log = self.registry.log();
        let fetches = |part: &str| {
            log.count(|seen| {
                seen.method == Method::GET && seen.status == Some(200) && seen.path().contains(part)
            })
        };
        Asked {
            resolved: log.count(|seen| seen.method == Method::HEAD),
            manifests: fetches("/manifests/"),
            blobs: fetches("/blobs/"),
        }
    }
}

/// What a registry was asked, by its own count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asked {
    /// HEAD of a tag or digest.
    pub resolved: usize,
    /// GET of a manifest.
    pub manifests: usize,
    /// GET of a blob.
    pub blobs: usize,
}

impl Asked {
    /// What was asked since `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            resolved: self.resolved - earlier.resolved,
            manifests: self.manifests - earlier.manifests,
            blobs: self.blobs - earlier.blobs,
        }
    }
}

#[cfg(test)]
mod tests {
    use portolan_shared::process::Shutdown;

    use super::*;

    #[tokio::test]
    async fn is_a_registry_of_some_size_that_its_files_open() {
        let folder = tempfile::tempdir().unwrap();
        let tasks = Tasks::new(Shutdown::new());
        let registry = BroughtRegistry::start(folder.path(), &tasks).await.unwrap();
        let (repositories, tags) = registry.size();
        assert!(
            repositories >= 35 && tags >= 500,
            "{repositories} repositories, {tags} tags"
        );
        assert!(
            std::fs::read_to_string(registry.ca_file())
                .unwrap()
                .contains("BEGIN CERTIFICATE")
        );
        let reference = registry.credential_reference();
        let credential = std::fs::read_to_string(reference.strip_prefix("file:").unwrap()).unwrap();
        assert!(credential.starts_with("portolan:glpat-"));
        assert_eq!(registry.asked(), Asked::default());
    }
}
