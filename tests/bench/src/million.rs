//! A registry of a million tags: the agent's memory, and what a native way to list tags saves.
//!
//! The registry is a GitLab double in this process, once without its metadata database, where every tag costs a HEAD and a repository's
//! names come in one piece, and once with it, where a thousand tags with their digests cost one request.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use portolan_demo::installation::{Allowed, Profile, Programs};
use portolan_doubles::content::MillionShape;
use portolan_doubles::tls::Alpn;
use portolan_doubles::web::Mode;
use portolan_doubles::{Content, GitLab, PrivateCa};
use portolan_shared::process::{Shutdown, SystemClock, Tasks, write_atomically};
use serde_json::json;

use crate::sync::{self, Pass, Sync};
use crate::table::{Aim, Line, Table, float};

/// Names of the lines.
const GENERIC: &str = "tags/list and HEAD, first sync";
const NATIVE: &str = "gitlab.v1, first sync";
const NATIVE_AGAIN: &str = "gitlab.v1, second sync";

/// What `million` is told.
#[derive(Debug, Args)]
pub(crate) struct Million {
    /// Tags in the registry
    #[arg(long, default_value_t = 1_000_000)]
    tags: usize,
    /// Of these, tags of the largest repository
    #[arg(long, default_value_t = 100_000)]
    largest: usize,
    /// Repositories besides the largest
    #[arg(long, default_value_t = 2_000)]
    tail: usize,
    /// Images that the tags share
    #[arg(long, default_value_t = 10_000)]
    images: usize,
    /// Leave out the way that costs a HEAD per tag
    #[arg(long)]
    native_only: bool,
    /// Where to write what was measured
    #[arg(long, default_value = "target/bench/million.json")]
    to: PathBuf,
}

impl Million {
    /// Measures, prints and writes.
    pub(crate) async fn run(&self, cargo: &Path) -> anyhow::Result<()> {
        let shape = MillionShape {
            tags: self.tags,
            largest: self.largest,
            tail: self.tail,
            images: self.images,
        };
        let folder = tempfile::Builder::new()
            .prefix("portolan-million-")
            .tempdir()
            .context("make a folder")?;
        let programs = Programs::build(cargo, Profile::Release).await?;
        let tasks = Tasks::new(Shutdown::new());
        eprintln!("making {} tags", shape.tags);
        let content = Content::million(shape);
        let (repositories, tags) = (content.repositories().len(), content.tag_count());
        let ca = PrivateCa::new("Portolan bench", &SystemClock)?;
        let ca_file = ca.write_root(folder.path())?;
        let gitlab = GitLab::builder(content)
            .start(Some(ca.leaf(&[])?.server_config(Alpn::Both)?), &tasks)
            .await?;
        let login = folder.path().join("login");
        let (user, secret) = GitLab::FULL;
        write_atomically(&login, format!("{user}:{secret}\n").as_bytes())?;
        let first = |name| Pass {
            name,
            must_fetch: true,
        };
        let again = Pass {
            name: NATIVE_AGAIN,
            must_fetch: false,
        };
        let mut lines = Vec::new();
        let ways = [
            (Mode::Filesystem, "generic", vec![first(GENERIC)]),
            (Mode::Database, "native", vec![first(NATIVE), again]),
        ];
        for (mode, name, passes) in ways {
            if mode == Mode::Filesystem && self.native_only {
                continue;
            }
            gitlab.set_mode(mode);
            let state = folder.path().join(name);
            std::fs::create_dir(&state).context("make a folder")?;
            let sync = Sync {
                programs: &programs,
                allowed: Allowed {
                    registry: gitlab.registry().address().to_string(),
                    credential: Some(format!("file:{}", login.display())),
                    ..Allowed::default()
                },
                url: gitlab.registry_url(),
                registry_id: None,
                ca_file: &ca_file,
                folder: &state,
            };
            // The first line is the agent before any work.
            lines.extend(sync::measure(&sync, &passes).await?.into_iter().skip(1));
        }
        let aims = aims(&lines, tags);
        let generic = lines.iter().find(|line| line.name == GENERIC);
        let table = Table {
            lines: &lines,
            base: generic.map(|line| line.wall),
            aims: &aims,
        };
        println!("{repositories} repositories, {tags} tags");
        println!("{table}");
        let facts = json!({"repositories": repositories, "tags": tags, "largest": shape.largest, "images": shape.images});
        table.write(&self.to, &facts)?;
        println!("written to {}", self.to.display());
        drop(gitlab);
        tasks.shutdown().start_cut();
        tasks.ended().await;
        Ok(())
    }
}

fn aims(lines: &[Line], tags: usize) -> Vec<Aim> {
    let line = |name: &str| lines.iter().find(|line| line.name == name);
    let memory = |name: &str| Some(float(line(name)?.peak_rss_kib?) / 1_024.0);
    let requests = |name: &str| Some(float(line(name)?.requests?));
    let thousands = float(tags as u64) / 1_000.0;
    let all = [
        memory(GENERIC).map(|mib| Aim::most("tags/list and HEAD, agent's peak memory", mib, 64.0, "MiB")),
        memory(NATIVE).map(|mib| Aim::most("gitlab.v1, agent's peak memory", mib, 64.0, "MiB")),
        memory(NATIVE_AGAIN)
            .map(|mib| Aim::most("gitlab.v1, agent's peak memory, second sync", mib, 64.0, "MiB")),
        // A page of tags and a token for each repository at least, and the search for repositories.
        requests(NATIVE_AGAIN).map(|count| {
            Aim::most(
                "gitlab.v1, second sync, requests per 1,000 tags",
                count / thousands,
                8.0,
                "requests",
            )
        }),
    ];
    all.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_judged_for_every_way_and_requests_for_the_native_one() {
        let line = |name: &str, kib| Line {
            peak_rss_kib: Some(kib),
            requests: Some(7_000),
            ..Line::new(name)
        };
        let lines = [
            line(GENERIC, 65 * 1_024),
            line(NATIVE, 64 * 1_024),
            line(NATIVE_AGAIN, 1_024),
        ];
        let met: Vec<bool> = aims(&lines, 1_000_000).iter().map(Aim::is_met).collect();
        assert_eq!(met, [false, true, true, true]);
        assert_eq!(
            aims(&lines[1..2], 1_000_000).len(),
            1,
            "what was not measured is not judged"
        );
    }
}
