//! `portolan webhook`: what can be said of webhooks, what is done with them, and how they are shown.

mod act;
mod command;
mod sheet;

pub(super) use act::run;
pub(super) use command::WebhookCommand;
