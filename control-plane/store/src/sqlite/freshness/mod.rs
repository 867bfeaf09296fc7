//! How fresh the inventory is: registries with their last runs and their sensors, two statements for a page of them.

mod figures;
mod held;
mod pulses;
mod traits;
