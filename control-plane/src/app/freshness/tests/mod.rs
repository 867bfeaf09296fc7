//! Each state and each boundary of what is judged.

mod attention;
mod events;
mod hindrance;
mod places;
mod registry;
mod repository;
mod scene;
mod sensor;
mod webhook;
