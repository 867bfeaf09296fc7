//! From a few answers to a product, with the evidence.

use std::sync::Arc;

use portolan_shared::model::{Confidence, Detection, Flavour};

use super::generic::Generic;
use super::product::Product;
use crate::api::Ping;

/// Which product answers.
pub(super) fn product(ping: &Ping) -> (Arc<dyn Product>, Detection) {
    let signs = vec![format!("asks for {:?}", ping.login)];
    (
        Arc::new(Generic),
        Detection::new(Flavour::Generic, Confidence::Low, signs, None),
    )
}
