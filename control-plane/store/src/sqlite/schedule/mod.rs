//! Starts by the clock. `due` finds what the scheduler has to think about, `start` applies what it decided, `set_back` puts right what
//! a clock that was ahead has written; `traits` hands the trait's methods
//! to them. Runs that have lapsed are with the other ends of runs, in `run`.

mod due;
mod set_back;
mod start;
mod traits;
