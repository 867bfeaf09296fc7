//! Dependencies are declared once, and every member follows the workspace.

use std::collections::BTreeSet;

use toml::Value;

use super::{none, workspace};

#[test]
fn versions_and_sources_come_from_the_workspace() {
    let workspace = workspace();
    let mut complaints = Vec::new();
    for member in &workspace.members {
        for dependency in member
            .dependencies
            .iter()
            .filter(|dependency| !dependency.from_workspace)
        {
            complaints.push(format!(
                "{}: {} is not from the workspace",
                member.name, dependency.name
            ));
        }
    }
    none(&complaints);
}

#[test]
fn every_version_that_the_workspace_offers_is_used() {
    let workspace = workspace();
    let used: BTreeSet<&str> = workspace
        .members
        .iter()
        .flat_map(|member| &member.dependencies)
        .map(|dependency| dependency.name.as_str())
        .collect();
    let unused: Vec<String> = workspace
        .offered
        .iter()
        .filter(|name| !used.contains(name.as_str()))
        // The harnesses are members that nobody uses yet when a suite stands alone.
        .filter(|name| !workspace.members.iter().any(|member| member.name == **name))
        .map(|name| format!("nobody uses {name}"))
        .collect();
    none(&unused);
}

#[test]
fn members_take_lints_and_package_fields_from_the_workspace() {
    let workspace = workspace();
    let mut complaints = Vec::new();
    for member in &workspace.members {
        let inherits = |table: &Value| table.get("workspace").and_then(Value::as_bool) == Some(true);
        if !member.manifest.get("lints").is_some_and(inherits) {
            complaints.push(format!("{} does not take the workspace's lints", member.name));
        }
        let package = &member.manifest["package"];
        for field in ["version", "edition", "rust-version", "license", "publish"] {
            if !package.get(field).is_some_and(inherits) {
                complaints.push(format!("{}: {field} is not the workspace's", member.name));
            }
        }
        if package
            .get("description")
            .and_then(Value::as_str)
            .is_none_or(str::is_empty)
        {
            complaints.push(format!("{} has no description", member.name));
        }
    }
    none(&complaints);
}

#[test]
fn unsafe_code_is_forbidden_everywhere() {
    let workspace = workspace();
    let level = &workspace.manifest["workspace"]["lints"]["rust"]["unsafe_code"];
    assert_eq!(level.as_str(), Some("forbid"));
}
