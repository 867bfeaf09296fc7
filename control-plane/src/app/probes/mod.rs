//! Probes: a sensor looks at a registry, stage by stage, and says what it saw. `ask` is what people do, `carry` brings probes to sensors and
//! their reports back.
//!
//! A probe waits in the database until a session of one of its sensors carries it out. Nobody leases it: looking twice does no harm, and the
//! first report counts.

mod ask;
mod carry;

pub use ask::ProbeInput;
