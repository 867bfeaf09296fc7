//! skopeo: another client, by other people, that says what a registry serves, and pushes to it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::Context as _;
use portolan_shared::model::{Digest, TagName};
use portolan_shared::secret::Secret;
use serde::Deserialize;
use tempfile::TempDir;
use tokio::process::Command;

use super::child::Program;
use super::small_image::SmallImage;
use crate::tls::PrivateCa;

const PROGRAM: Program = Program {
    path: "/usr/bin/skopeo",
    package: "skopeo",
};

/// skopeo, set up for one registry: its address, its authority, a credential. Tested with version 1.9.
#[derive(Debug)]
pub struct Skopeo {
    program: PathBuf,
    registry: SocketAddr,
    /// Holds the authority's certificate, and is home to whatever skopeo writes.
    folder: TempDir,
    secure: bool,
    login: Option<(String, Secret)>,
}

#[derive(Deserialize)]
struct TagList {
    #[serde(rename = "Tags")]
    tags: Option<Vec<TagName>>,
}

impl Skopeo {
    /// Whether the program is there.
    #[must_use]
    pub fn is_installed() -> bool {
        PROGRAM.is_installed()
    }

    /// A witness of the registry at `registry`, trusting `ca` alone; plain HTTP without one. Anonymous without `login`.
    pub fn new(
        registry: SocketAddr,
        ca: Option<&PrivateCa>,
        login: Option<(&str, &str)>,
    ) -> anyhow::Result<Self> {
        let program = PROGRAM.find()?;
        let folder = tempfile::Builder::new()
            .prefix("skopeo-")
            .tempdir()
            .context("make a folder")?;
        if let Some(ca) = ca {
            ca.write_root(folder.path())?;
        }
        Ok(Self {
            program,
            registry,
            folder,
            secure: ca.is_some(),
            login: login.map(|(login, secret)| (login.to_owned(), Secret::new(secret.to_owned()))),
        })
    }

    /// The tags of `repository`, in the registry's order. A repository without tags has none.
    pub async fn list_tags(&self, repository: &str) -> anyhow::Result<Vec<TagName>> {
        let output = self
            .run(
                &["list-tags"],
                &format!("docker://{}/{repository}", self.registry),
            )
            .await?;
        let list: TagList = serde_json::from_slice(&output).context("read skopeo's list of tags")?;
        Ok(list.tags.unwrap_or_default())
    }

    /// The raw manifest that `reference` (a tag or digest) names in `repository`.
    pub async fn raw_manifest(&self, repository: &str, reference: &str) -> anyhow::Result<Vec<u8>> {
        let separator = if reference.contains(':') { '@' } else { ':' };
        let image = format!("docker://{}/{repository}{separator}{reference}", self.registry);
        self.run(&["inspect", "--raw"], &image).await
    }

    /// The digest of that manifest, computed from its bytes.
    pub async fn digest(&self, repository: &str, reference: &str) -> anyhow::Result<Digest> {
        Ok(Digest::sha256_of(
            &self.raw_manifest(repository, reference).await?,
        ))
    }

    /// Pushes an image, byte for byte, and points a tag to it.
    pub async fn push(&self, image: &SmallImage, repository: &str, tag: &str) -> anyhow::Result<()> {
        let folder = tempfile::tempdir_in(self.folder.path()).context("make a folder")?;
        image.write(folder.path())?;
        let from = format!("dir:{}", folder.path().display());
        let to = format!("docker://{}/{repository}:{tag}", self.registry);
        self.call(&["copy", "--preserve-digests"], "dest-", &[&from, &to])
            .await?;
        Ok(())
    }

    /// Deletes the manifest that a tag points to, by its digest. With it go all tags that point to it.
    pub async fn delete(&self, repository: &str, tag: &str) -> anyhow::Result<()> {
        self.run(
            &["delete"],
            &format!("docker://{}/{repository}:{tag}", self.registry),
        )
        .await?;
        Ok(())
    }

    async fn run(&self, verb: &[&str], image: &str) -> anyhow::Result<Vec<u8>> {
        self.call(verb, "", &[image]).await
    }

    /// `of` is what the names of options begin with that are about the registry.
    async fn call(&self, verb: &[&str], of: &str, images: &[&str]) -> anyhow::Result<Vec<u8>> {
        let mut command = Command::new(&self.program);
        command.arg("--insecure-policy").args(verb);
        if self.secure {
            command.arg(format!("--{of}cert-dir")).arg(self.folder.path());
        } else {
            command.arg(format!("--{of}tls-verify=false"));
        }
        match &self.login {
            Some((login, secret)) => command
                .arg(format!("--{of}creds"))
                .arg(format!("{login}:{}", secret.expose())),
            None => command.arg(format!("--{of}no-creds")),
        };
        let output = command
            .args(images)
            // Nobody's home: no credentials, mirrors or proxies of whoever runs the tests.
            .env_clear()
            .env("HOME", self.folder.path())
            .env("XDG_RUNTIME_DIR", self.folder.path())
            .env("TMPDIR", self.folder.path())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .context("run skopeo")?;
        let message = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(
            output.status.success(),
            "skopeo {} {}: {}",
            verb.join(" "),
            images.join(" "),
            message.trim()
        );
        Ok(output.stdout)
    }
}
