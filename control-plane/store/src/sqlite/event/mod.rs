//! Push events. `note` writes down what came and what is to be looked at, `subjects` says which tags that is, `waiting` is a row of it; `due` finds
//! what a run can take over, `take` lets it, `told` has the audit log say so, and `looked` puts back what it did not come to; `silence` judges which changes no event has
//! announced; `traits` hands the trait's methods to them, and counts.

mod due;
mod looked;
mod note;
mod silence;
mod subjects;
mod take;
mod told;
mod traits;
mod waiting;

pub(super) use looked::looked;
pub(super) use silence::judge;
pub(super) use told::forget as forget_told;
