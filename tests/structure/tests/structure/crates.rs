//! Arrows between crates.

use portolan_structure::{DependencyKind, Workspace};

use super::{none, workspace};

/// Which of our crates each crate of the product may use. Crates below `tests/` and `deploy/` may use any.
const ARROWS: &[(&str, &[&str])] = &[
    ("portolan-shared", &[]),
    ("portolan-proto", &["portolan-shared"]),
    ("portolan-registry", &["portolan-shared"]),
    (
        "portolan-agent",
        &["portolan-shared", "portolan-proto", "portolan-registry"],
    ),
    ("portolan-store", &["portolan-shared"]),
    (
        "portolan",
        &["portolan-shared", "portolan-proto", "portolan-store"],
    ),
];

fn broken(workspace: &Workspace, arrows: &[(&str, &[&str])]) -> Vec<String> {
    let ours: Vec<&str> = workspace
        .members
        .iter()
        .map(|member| member.name.as_str())
        .collect();
    let mut complaints = Vec::new();
    for member in &workspace.members {
        let row = arrows.iter().find(|(name, _)| *name == member.name);
        let free = ["tests/", "deploy/"]
            .iter()
            .any(|folder| member.folder.starts_with(folder));
        let Some((_, allowed)) = row else {
            if !free {
                complaints.push(format!("{} has no row in the table of arrows", member.name));
            }
            continue;
        };
        for dependency in &member.dependencies {
            if dependency.kind != DependencyKind::Dev
                && ours.contains(&dependency.name.as_str())
                && !allowed.contains(&dependency.name.as_str())
            {
                complaints.push(format!("{} may not use {}", member.name, dependency.name));
            }
        }
    }
    complaints
}

#[test]
fn crates_use_only_what_their_arrows_allow() {
    none(&broken(&workspace(), ARROWS));
}

#[test]
fn an_arrow_that_is_not_allowed_would_be_seen() {
    let stricter: Vec<(&str, &[&str])> = ARROWS
        .iter()
        .map(|(name, allowed)| {
            (
                *name,
                if *name == "portolan-proto" {
                    &[][..]
                } else {
                    *allowed
                },
            )
        })
        .collect();
    assert_eq!(
        broken(&workspace(), &stricter),
        ["portolan-proto may not use portolan-shared"]
    );
}

#[test]
fn agent_and_control_plane_never_see_each_other() {
    let workspace = workspace();
    let uses = |from: &str, to: &str| {
        workspace.members.iter().any(|member| {
            member.name == from && member.dependencies.iter().any(|dependency| dependency.name == to)
        })
    };
    assert!(
        !uses("portolan-agent", "portolan") && !uses("portolan", "portolan-agent"),
        "not even for tests"
    );
}
