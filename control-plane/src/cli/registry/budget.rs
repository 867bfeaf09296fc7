//! How hard a registry may be worked, as flags.

use std::num::{NonZeroU16, NonZeroU32};

/// How hard a registry may be worked.
#[derive(Debug, clap::Args)]
pub(super) struct BudgetArgs {
    /// Requests in flight at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(super) concurrency: Option<u16>,
    /// Requests begun per second at most
    #[arg(long, value_name = "N")]
    pub(super) requests_per_second: Option<NonZeroU16>,
    /// Requests within any 24 hours at most, of all sensors together; once they are used up, runs wait
    #[arg(long, value_name = "N")]
    pub(super) requests_per_day: Option<NonZeroU32>,
}
