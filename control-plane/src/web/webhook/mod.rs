//! `/api/webhooks`: where registries bring notifications of pushes, if they can reach the control plane.
//!
//! A registry shows its secret in a header, by a signature, or, if it can do neither, in the path. What it is told is 200 if it did, and 401
//! otherwise, whether or not there is such a registry; the rest is for the counters. Paths with secrets stand in no log.
//!
//! A webhook of GitLab's projects and groups that shows the secret is answered 200: nothing is read out of it, and its body is passed over.
//!
//! # Bounds
//!
//! Whoever shows no secret costs little, and keeps nobody out who shows one. Strangers and registries may come through one proxy, from one address: so what is
//! bounded for strangers is bounded for each registry that they name, and only what is not believed is charged to them. Whether the secret is shown is
//! judged first, whatever came before and before the body is taken in, at the price of a lookup; a signature beside it is verified afterwards. Bodies of
//! which only the signature can tell have places of their own, few for each registry.
//!
//! The rate bounds the bodies that are taken in and the signatures that are computed. It does not bound how often a secret is compared, since nothing else
//! tells whom it is to keep out: what protects from guessing is that the secret has 256 bits. No single answer tells an id of a registry from another;
//! whoever fills all places of one kind sees by who has to make room whether another id is of that kind, and ids are no secrets.
//!
//! | of what | bound | beyond it |
//! | --- | --- | --- |
//! | notifications of one registry from one source that are not believed | 1,000 a second, 5,000 at once | `429` for that registry from there to whoever does not show its secret; of no such a body is taken in |
//! | notifications of one registry that are believed | 200 a second, 1,000 at once | `429` |
//! | body | 1 MiB, 10 s to come | `413`, `408` |
//! | body that is passed over | 32 MiB, 10 s | not waited for |
//! | bodies in hand that are believed, of one registry; of these above 64 KiB | 256, 64; 16, 4 | `429` |
//! | bodies in hand that are not believed yet, of one registry; of these above 64 KiB | 128, 8; 8, 2 | `429` |
//! | the same for ids that are no registry's | as many | `429` |
//!
//! Where all places are taken, the registry that has most of them gives one up whose body has not come yet, which is answered `429`, to one that has
//! fewer; of those that are not believed yet, the slowest makes room for the next of its own registry, too ([`Places`](portolan_shared::events::Places)).

mod body;
mod receive;

pub(super) use receive::routes;
