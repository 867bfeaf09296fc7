//! Writes content straight into the folder of a registry of the Distribution family, which is a hundred times faster than pushing.
//!
//! Source: CNCF Distribution 2.8, `registry/storage/paths.go`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use portolan_shared::model::{Digest, TagName};

use crate::content::Content;

/// The folder that the registry has as its root.
#[derive(Debug, Clone)]
pub(super) struct Layout(PathBuf);

impl Layout {
    pub(super) fn new(root: &Path) -> Self {
        Self(root.join("docker/registry/v2"))
    }

    /// Writes everything in `content` that is not there yet. Tags of the same name are moved; nothing is taken away.
    pub(super) fn write(&self, content: &Content) -> anyhow::Result<()> {
        for (name, repository) in content.repositories() {
            let folder = self.repository(name.as_str());
            // The catalog takes a folder with `_layers` for a repository; a tag list needs its folder even when it is empty.
            make(&folder.join("_layers"))?;
            make(&folder.join("_manifests/tags"))?;
            make(&folder.join("_manifests/revisions"))?;
            for digest in repository.manifests() {
                if let Some(stored) = content.manifests().get(digest) {
                    self.blob(digest, &stored.bytes)?;
                }
                link(&folder.join("_manifests/revisions").join(place(digest)), digest)?;
            }
            for digest in repository.blobs() {
                if let Some(bytes) = content.blobs().get(digest) {
                    self.blob(digest, bytes)?;
                }
                link(&folder.join("_layers").join(place(digest)), digest)?;
            }
            for (tag, digest) in repository.tags() {
                self.tag(name.as_str(), tag, digest)?;
            }
        }
        Ok(())
    }

    /// Points a tag to a digest that is there. The registry itself also keeps an index of what each tag once pointed to; no pull
    /// reads it, so it is left out.
    pub(super) fn tag(&self, repository: &str, tag: &TagName, digest: &Digest) -> anyhow::Result<()> {
        let folder = self
            .repository(repository)
            .join("_manifests/tags")
            .join(tag.as_str());
        relink(&folder.join("current"), digest)
    }

    /// Takes a tag away.
    pub(super) fn untag(&self, repository: &str, tag: &TagName) -> anyhow::Result<()> {
        let folder = self
            .repository(repository)
            .join("_manifests/tags")
            .join(tag.as_str());
        fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()))
    }

    fn repository(&self, name: &str) -> PathBuf {
        self.0.join("repositories").join(name)
    }

    fn blob(&self, digest: &Digest, bytes: &[u8]) -> anyhow::Result<()> {
        let text = digest.to_string();
        let (algorithm, hex) = text.split_once(':').unwrap_or(("sha256", text.as_str()));
        let folder = self.0.join("blobs").join(algorithm).join(&hex[..2]).join(hex);
        let path = folder.join("data");
        if path.exists() {
            return Ok(());
        }
        make(&folder)?;
        fs::write(&path, bytes).with_context(|| format!("write {}", path.display()))
    }
}

fn place(digest: &Digest) -> String {
    digest.to_string().replace(':', "/")
}

fn make(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))
}

/// Writes a link. In place is safe only for what no registry can be reading yet: a revision or layer that nothing names so far.
fn link(folder: &Path, digest: &Digest) -> anyhow::Result<()> {
    make(folder)?;
    let path = folder.join("link");
    fs::write(&path, digest.to_string()).with_context(|| format!("write {}", path.display()))
}

/// Replaces a link by a rename, so that a registry that reads meanwhile never sees half a digest.
fn relink(folder: &Path, digest: &Digest) -> anyhow::Result<()> {
    make(folder)?;
    let (temporary, path) = (folder.join(".link"), folder.join("link"));
    fs::write(&temporary, digest.to_string())
        .and_then(|()| fs::rename(&temporary, &path))
        .with_context(|| format!("write {}", path.display()))
}
