//! The one crypto provider of the process.

use std::sync::{Arc, LazyLock};

use rustls::crypto::CryptoProvider;

/// rustls on aws-lc-rs, with the hybrid post-quantum key exchange X25519MLKEM768 preferred. Always passed explicitly; nothing
/// depends on a process-wide default.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    Arc::clone(&PROVIDER)
}
