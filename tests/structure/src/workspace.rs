//! Members and their dependencies, from the manifests.

use anyhow::Context as _;
use toml::{Table, Value};

use crate::Tree;

/// When a dependency is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DependencyKind {
    /// By the library and the programs.
    Normal,
    /// By the build script.
    Build,
    /// By tests.
    Dev,
}

/// One line of a manifest's dependencies.
#[derive(Debug, Clone, PartialEq)]
pub struct Dependency {
    /// The crate's name.
    pub name: String,
    /// When it is needed.
    pub kind: DependencyKind,
    /// Whether version and source come from the workspace, as they must.
    pub from_workspace: bool,
}

/// A crate of the workspace.
#[derive(Debug)]
pub struct Member {
    /// The crate's name.
    pub name: String,
    /// Its folder, a path from the root.
    pub folder: String,
    /// Everything that it depends on.
    pub dependencies: Vec<Dependency>,
    /// Its whole manifest.
    pub manifest: Table,
}

/// The workspace.
#[derive(Debug)]
pub struct Workspace {
    /// Its members, in the order of the root manifest.
    pub members: Vec<Member>,
    /// Names under `[workspace.dependencies]`.
    pub offered: Vec<String>,
    /// The whole root manifest.
    pub manifest: Table,
}

impl Workspace {
    /// Reads every manifest of `tree`.
    pub fn read(tree: &Tree) -> anyhow::Result<Self> {
        let manifest = table(tree, "Cargo.toml")?;
        let workspace = manifest.get("workspace").context("find [workspace]")?;
        let folders = workspace
            .get("members")
            .and_then(Value::as_array)
            .context("find the members")?;
        let members = folders
            .iter()
            .filter_map(Value::as_str)
            .map(|folder| Member::read(tree, folder))
            .collect::<anyhow::Result<_>>()?;
        let offered = workspace
            .get("dependencies")
            .and_then(Value::as_table)
            .context("find [workspace.dependencies]")?
            .keys()
            .cloned()
            .collect();
        Ok(Self {
            members,
            offered,
            manifest,
        })
    }
}

impl Member {
    fn read(tree: &Tree, folder: &str) -> anyhow::Result<Self> {
        let manifest = table(tree, &format!("{folder}/Cargo.toml"))?;
        let name = manifest
            .get("package")
            .and_then(|package| package.get("name"))
            .and_then(Value::as_str)
            .with_context(|| format!("find the name of {folder}"))?
            .to_owned();
        let mut dependencies = Vec::new();
        collect(&manifest, &mut dependencies);
        for target in manifest
            .get("target")
            .and_then(Value::as_table)
            .into_iter()
            .flatten()
        {
            collect(
                target.1.as_table().context("read a [target] table")?,
                &mut dependencies,
            );
        }
        Ok(Self {
            name,
            folder: folder.to_owned(),
            dependencies,
            manifest,
        })
    }
}

fn table(tree: &Tree, path: &str) -> anyhow::Result<Table> {
    let file = tree.file(path).with_context(|| format!("find {path}"))?;
    file.text.parse().with_context(|| format!("parse {path}"))
}

fn collect(manifest: &Table, dependencies: &mut Vec<Dependency>) {
    for (key, kind) in [
        ("dependencies", DependencyKind::Normal),
        ("build-dependencies", DependencyKind::Build),
        ("dev-dependencies", DependencyKind::Dev),
    ] {
        for (name, entry) in manifest.get(key).and_then(Value::as_table).into_iter().flatten() {
            dependencies.push(Dependency {
                name: name.clone(),
                kind,
                from_workspace: entry.get("workspace").and_then(Value::as_bool) == Some(true),
            });
        }
    }
}
