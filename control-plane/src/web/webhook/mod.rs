//! `/api/webhooks`: where registries bring notifications of pushes, if they can reach the control plane.
//!
//! A registry shows its secret in a header, by a signature, or, if it can do neither, in the path. What it is told is 200 if it did, and 401
//! otherwise, whether or not there is such a registry; the rest is for the counters. Paths with secrets stand in no log.
//!
//! A webhook of GitLab's projects and groups that shows the secret is answered 200: nothing is read out of it, and its body is passed over.
//!
//! # Bounds
//!
//! Who shows no secret costs little: where no header is a signature the secret is judged before the body is taken in, and bodies of which only
//! the signature can tell have places of their own, so that nobody without a secret takes those of whoever has one.
//!
//! | of what | bound | beyond it |
//! | --- | --- | --- |
//! | requests of one source | 1,000 a second, 5,000 at once | `429` |
//! | notifications of one registry | 200 a second, 1,000 at once | `429` |
//! | body | 1 MiB, 10 s to come | `413`, `408` |
//! | body that is passed over | 32 MiB, 10 s | not waited for |
//! | bodies in hand that are believed; of these above 64 KiB | 256; 16 | `429` |
//! | bodies in hand that are not believed yet; of these above 64 KiB | 64; 4 | `429` |

mod body;
mod receive;

pub(super) use receive::routes;
