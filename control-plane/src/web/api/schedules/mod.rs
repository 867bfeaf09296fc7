//! `/schedules`: what a schedule would come to.

pub(super) mod preview;

pub use preview::SchedulePreview;
