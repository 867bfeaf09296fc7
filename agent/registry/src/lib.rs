#![doc = include_str!("../README.md")]

mod api;
mod auth;
mod client;
pub mod doctor;
mod error;
mod flavour;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod http;

pub use api::{
    ErrorCode, Fetched, Head, Login, Page, Ping, Referrer, Referrers, ReferrersSource, Resolved, Walk,
    WalkEnd,
};
pub use auth::{
    Anonymous, Challenge, Challenges, Credential, CredentialError, CredentialSource, Credentials,
    Environment, FiledLogin, LoginHolder, Logins, ProgramProblem, RefusedLogins,
};
pub use client::{Access, Counts, RegistryClient};
pub use error::{Fault, RegistryError, Subject};
pub use flavour::{Ladder, ListedTag, Registry, TagList, TagPage, Wanted};
pub use http::{
    AddressRules, AnyHost, Gate, Guard, Hop, Limits, Pass, Purpose, Refusal, Refused, Resolver,
    SystemResolver,
};
