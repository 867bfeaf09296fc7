//! `portolan whoami`

use super::Exit;
use super::failure::CliError;
use super::operate::Desk;
use super::output::{Sheet, ShowArgs, print_one};
use crate::web::api::whoami::Whoami;

pub(super) async fn show(desk: Desk<'_>, args: &ShowArgs) -> Result<Exit, CliError> {
    let value = desk.client.get(&["whoami"], &[]).await?;
    print_one(desk.terminal, args.output, &value, || {
        let who: Whoami = desk.client.view(&value)?;
        let mut sheet = Sheet::new();
        sheet
            .add("token", who.token_name)
            .add("role", who.role)
            .add("token id", who.token_id)
            .add("tenant id", who.tenant_id);
        Ok(sheet)
    })?;
    Ok(Exit::Done)
}
