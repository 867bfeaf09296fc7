//! Who can change the policy file: it is to be its administrator alone, and never the user that it holds for.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Who can change a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// Its administrator, or there is no such file.
    Administrator,
    /// Somebody else as well: in words.
    Others(String),
    /// Everybody.
    Everybody,
}

const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;

/// Looks at owner and mode of the opened file, and at every folder above it: whoever may write in one of those can put another file in its
/// place.
pub(super) fn standing(path: &Path, opened: &File) -> Standing {
    let ours = rustix::process::geteuid().as_raw();
    let of_file = match opened.metadata() {
        Ok(file) => judged(file.mode(), file.uid(), file.gid(), ours),
        Err(error) => Standing::Others(format!("its owner cannot be told: {error}")),
    };
    std::iter::once(of_file)
        .chain(folders(path).iter().map(|folder| of_folder(folder, ours)))
        .fold(Standing::Administrator, Standing::worse)
}

/// Every folder above the file, and above what a link leads to.
fn folders(path: &Path) -> BTreeSet<PathBuf> {
    let places = [std::path::absolute(path), std::fs::canonicalize(path)];
    let above = places
        .iter()
        .flatten()
        .flat_map(|place| place.ancestors().skip(1));
    above.map(Path::to_owned).collect()
}

fn of_folder(folder: &Path, ours: u32) -> Standing {
    const STICKY: u32 = 0o1000;
    let metadata = match std::fs::metadata(folder) {
        Ok(metadata) => metadata,
        Err(error) => {
            return Standing::Others(format!(
                "who can write in {} cannot be told: {error}",
                folder.display()
            ));
        }
    };
    // In a folder like /tmp everybody can write, and nobody can put away what is another's.
    let mode = match metadata.mode() {
        mode if mode & STICKY != 0 => mode & !(GROUP_WRITES | OTHERS_WRITE),
        mode => mode,
    };
    match judged(mode, metadata.uid(), metadata.gid(), ours) {
        Standing::Others(who) => Standing::Others(format!(
            "the folder {}, in which another file can be put in its place: {who}",
            folder.display()
        )),
        other => other,
    }
}

impl Standing {
    /// The first that is worse than the administrator's alone, and everybody's before all.
    fn worse(self, other: Self) -> Self {
        match (self, other) {
            (Self::Everybody, _) | (_, Self::Everybody) => Self::Everybody,
            (Self::Administrator, other) => other,
            (found, _) => found,
        }
    }
}

fn judged(mode: u32, owner: u32, group: u32, ours: u32) -> Standing {
    const ROOT: u32 = 0;
    if mode & OTHERS_WRITE != 0 {
        return Standing::Everybody;
    }
    let mut who = Vec::new();
    if owner != ROOT && owner == ours {
        who.push(format!(
            "it belongs to the user that this program runs as ({owner}), who can change it"
        ));
    } else if owner != ROOT {
        who.push(format!("it belongs to user {owner}, who can change it"));
    }
    if mode & GROUP_WRITES != 0 && group != ROOT {
        who.push(format!("group {group} can change it"));
    }
    if who.is_empty() {
        return Standing::Administrator;
    }
    Standing::Others(format!(
        "{}: chown root and chmod g-w it, so that what bounds the agent is not the agent's to change",
        who.join(" and ")
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn only_root_may_own_it_and_nobody_else_may_write() {
        assert_eq!(judged(0o100_644, 0, 0, 998), Standing::Administrator);
        assert_eq!(judged(0o100_660, 0, 0, 998), Standing::Administrator);
        let said = |mode, owner, group, ours| match judged(mode, owner, group, ours) {
            Standing::Others(words) => words,
            other => panic!("{other:?}"),
        };
        assert!(said(0o100_400, 998, 0, 998).contains("runs as (998)"));
        assert!(said(0o100_600, 998, 0, 0).contains("belongs to user 998"));
        assert!(said(0o100_660, 0, 100, 998).contains("group 100"));
        assert_eq!(judged(0o100_646, 0, 0, 998), Standing::Everybody);
    }

    #[test]
    fn a_folder_in_which_another_can_write_gives_the_file_away() {
        let top = tempfile::tempdir().unwrap();
        let folder = top.path().join("state");
        std::fs::create_dir(&folder).unwrap();
        let file = folder.join("policy.toml");
        std::fs::write(&file, "").unwrap();
        let mode = |mode| {
            std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(mode)).unwrap();
            standing(&file, &File::open(&file).unwrap())
        };
        assert_ne!(mode(0o755), Standing::Everybody);
        assert_eq!(mode(0o777), Standing::Everybody);
        assert_ne!(mode(0o1777), Standing::Everybody, "like /tmp");
        // Its own folder, seen by the user that it belongs to.
        let Standing::Others(words) = of_folder(&folder, 0).worse(judged(0o40_755, 998, 0, 998)) else {
            panic!("the user can put another file there")
        };
        assert!(words.contains("998"), "{words}");
        let Standing::Others(words) = of_folder(Path::new("/nowhere"), 0) else {
            panic!("what cannot be told is not safe")
        };
        assert!(words.contains("/nowhere"), "{words}");
    }
}
