//! After an approval: which logins to change at their registries, because the sensor's sealing key may have been in two hands.

use std::io::Write as _;

use serde_json::Value;

use crate::cli::failure::CliError;
use crate::cli::operate::Desk;
use crate::web::api::credentials::CredentialView;
use crate::web::api::sensors::Sensor;

/// Credentials that are looked at; that there are more is said.
const LOOKED_AT: usize = 10_000;

/// A line on standard error for each credential that this sensor could open and should not know any more.
pub(super) async fn tell_what_to_rotate(desk: &mut Desk<'_>, sensor: &Value) -> Result<(), CliError> {
    let sensor: Sensor = desk.client.view(sensor)?;
    let listing = desk.client.list(&["credentials"], &[], LOOKED_AT).await?;
    for item in &listing.items {
        let shown: CredentialView = desk.client.view(item)?;
        let mut recipients = shown.recipients.iter();
        if recipients.any(|one| one.sensor_id == sensor.id && one.state == "rotate_at_registry") {
            writeln!(
                desk.terminal.err,
                "rotate: {} may be known to a copy of {}: change the login at the registry, then enter the new one: \
                 `portolan registry set {} --username USER --password-stdin`",
                shown.registry, sensor.name, shown.registry
            )?;
        }
    }
    if listing.more {
        writeln!(
            desk.terminal.err,
            "rotate: only the first {LOOKED_AT} credentials were looked at; `portolan credential list` has the others"
        )?;
    }
    Ok(())
}
