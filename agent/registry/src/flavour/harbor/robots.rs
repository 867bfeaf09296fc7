//! When a robot account ends.
//!
//! Its list of robots (`/api/v2.0/robots`) is of the whole system, or of one project, and says of each when it ends. Most robots may not read
//! it: then nobody says.

use jiff::Timestamp;
use serde::Deserialize;

use super::pages::Pages;
use super::product::project_of;
use crate::client::{ApiCall, ApiLogin, RegistryClient};
use crate::error::Fault;
use crate::flavour::rows::{encoded, read};

/// Robots that are looked through: one behind them is not found.
const ROBOTS: usize = 1_000;

#[derive(Deserialize)]
struct Robot {
    /// With what stands in front of every robot's name, and the project.
    name: String,
    /// Seconds since 1970; -1 if it never ends.
    #[serde(default)]
    expires_at: Option<i64>,
}

#[derive(Deserialize)]
struct Project {
    project_id: i64,
}

/// When the robot that is called `name` ends; `None` if it never does.
///
/// # Errors
/// If its list cannot be read, mostly because it may not.
pub(super) async fn end_of(client: &RegistryClient, name: &str) -> Result<Option<Timestamp>, Fault> {
    let of = match project_of(name) {
        Some(project) => {
            let path = format!("/api/v2.0/projects/{}", encoded(project));
            let reply = client.call(ApiCall::get(&path, ApiLogin::Basic)).await?;
            let project: Project = read(&reply)?;
            format!("Level=project,ProjectID={}", project.project_id)
        }
        None => "Level=system".to_owned(),
    };
    let path = format!("/api/v2.0/robots?q={}&", encoded(&of));
    let mut pages = Pages::new(client.clone(), path, ROBOTS, Default::default());
    while let Some(rows) = pages.next(|robot: &Robot| &robot.name).await? {
        if let Some(robot) = rows.good.iter().find(|robot| robot.name == name) {
            let end = robot.expires_at.filter(|at| *at > 0);
            return Ok(end.and_then(|at| Timestamp::from_second(at).ok()));
        }
    }
    Ok(None)
}
