//! The doctor: looks at a registry stage by stage, from the local policy to an image's config, and says what is wrong, why, and what to do.
//!
//! Every stage builds on those before it and is bounded in time; one that cannot be reached is skipped, with the reason. A login that was
//! refused once is not tried again. Nothing is sent that a sync would not send, and nothing that was received is repeated but names,
//! addresses, certificates, sizes and times.
//!
//! - `question`: what is to be examined; `examination`: the stages in their order, and what they learn for those behind them
//! - `notes`: what one stage has seen and found
//! - `way` and `proxy`: policy, name resolution, route, TCP; `tls` and `chain`: the handshake and the certificates that were served
//! - `root`: the API's root, the product, the challenge; `elsewhere`: other addresses where a registry may be instead
//! - `login` and `claims`: the token, and what it grants; `lifetime`: whether it lives long enough
//! - `content` and `image`: repositories, tags, a manifest, a config

mod chain;
mod claims;
mod content;
mod elsewhere;
mod examination;
mod image;
mod lifetime;
mod login;
mod notes;
mod proxy;
mod question;
mod root;
mod tls;
mod way;

pub use examination::diagnose;
pub use question::{LocalPolicy, Question};
