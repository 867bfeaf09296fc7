//! `portolan-agent policy test`: one request, judged as it would be if a job made it. Names are resolved; nothing is connected to.
//!
//! - `arguments`: what is asked; `request`: what that stands for
//! - `judge`: the answer, by the same guard that every request of a job meets
//! - `verdict`: how it is shown

mod arguments;
mod judge;
mod request;
mod verdict;

#[cfg(test)]
mod tests;

pub use arguments::TrialArguments;
pub use judge::judge;
pub use request::{AskedCredential, Request, RequestError};
pub use verdict::{AddressVerdict, Verdict};
