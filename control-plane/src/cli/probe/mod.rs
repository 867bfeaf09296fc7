//! Probes: `look` has a sensor look at a registry and waits for what it saw, `ask` is `registry test` and the test of `registry add`, `render`
//! shows a report at a glance.

mod ask;
mod look;
mod render;

pub(super) use ask::{TestArgs, before_saving, test, unsaved};
pub(super) use look::{Looked, look};
pub(super) use render::{render, render_warned};
