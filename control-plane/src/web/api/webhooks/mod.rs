//! `/webhooks`: endpoints that are told of changes.

pub(super) mod change;
pub(super) mod create;
pub(super) mod deliveries;
mod delivery_view;
pub(super) mod keys;
mod keys_view;
pub(super) mod list;
pub(super) mod pause;
pub(super) mod remove;
pub(super) mod resume;
pub(super) mod rotate;
pub(super) mod show;
pub(super) mod test;
mod view;

pub use delivery_view::{DeliveryView, TestedView};
pub use keys_view::WebhookKeys;
pub use view::{ChangeWebhook, CreateWebhook, Webhook};
