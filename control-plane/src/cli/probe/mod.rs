//! Probes: `ask` has a sensor look at a registry and waits for what it saw, `render` shows that at a glance.

mod ask;
mod render;

pub(super) use ask::{TestArgs, before_saving, test};
