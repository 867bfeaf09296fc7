//! What sealing promises, tried.
//!
//! `given` holds the values that the others start from; `vectors` are the published answers, `interop` a second implementation and a
//! reader written from the description alone, `swaps` everything that is bound exchanged for something else, `keys` who may be sealed
//! to, `forms` the parsers, `bounds` the limits.

mod bounds;
mod forms;
mod given;
mod interop;
mod keys;
mod swaps;
mod vectors;
