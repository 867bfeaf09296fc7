//! The scheduler on virtual time. `clocks` are those that are set twice a year, `cron` the expressions, `spread` what follows from the registry,
//! `blackouts` the windows, `decisions` what is done when, `promises` how old things
//! become, `properties` what holds of all schedules, `scene` what they begin with. The loop is
//! tried over a real database, with everything else that people see, in `tests/people`.

mod blackouts;
mod clocks;
mod cron;
mod decisions;
mod promises;
mod properties;
mod scene;
mod spread;
