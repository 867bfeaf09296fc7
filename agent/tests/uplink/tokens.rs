//! Continuity tokens, as the control plane keeps them.

use std::sync::Mutex;

use portolan_shared::model::Digest;
use portolan_shared::process::{Rng as _, SystemRng};

/// The current token, and those that were sent since.
#[derive(Default)]
pub struct Tokens(Mutex<(Vec<u8>, Vec<Vec<u8>>)>);

impl Tokens {
    /// A fresh one, which is on its way from now on.
    pub fn send(&self) -> Vec<u8> {
        let mut token = vec![0; 32];
        SystemRng.fill(&mut token);
        self.0.lock().unwrap().1.push(token.clone());
        token
    }

    /// Whether a token is good. One that was on its way has arrived, and those before it are void.
    pub fn shown(&self, token: &[u8]) -> bool {
        let mut known = self.0.lock().unwrap();
        if known.1.iter().any(|sent| sent == token) {
            *known = (token.to_vec(), Vec::new());
        }
        known.0 == token
    }

    /// A token with this hash is on the sensor's disk. False if it is not waited for (any more).
    pub fn acknowledged(&self, token_sha256: &[u8]) -> bool {
        let sent = self.0.lock().unwrap().1.clone();
        let found = sent.iter().find(|token| match Digest::sha256_of(token) {
            Digest::Sha256(hash) => hash == token_sha256,
            _ => false,
        });
        found.is_some_and(|token| self.shown(token))
    }

    /// A person has approved: whatever was sent before is void.
    pub fn begin_again(&self) {
        *self.0.lock().unwrap() = Default::default();
    }
}
