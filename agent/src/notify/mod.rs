//! Push events: a listener that registries of this network notify, and the queue in which what they say waits to be told to the control plane.
//!
//! What comes in is a hint and never a fact: it makes the control plane ask for a look at a tag, a repository or a registry, and that job is judged by
//! the policy as any other. So whoever knows a secret can make this sensor look at what it may look at anyway, and nothing else.
//!
//! - `listener`: sockets, TLS, and who may hold how many of them; `callers`: the connections of one address; `door`: from a request to its answer;
//!   `body`: how large and how slow one may be; `path`: what a path says
//! - `registry`: who may notify, and by which secret; `secret_file`, `tls`: what lies in files, and is read again when it changes; `watch` looks
//! - `queue`: what waits, as a machine without clock, lock or socket; `waiting`, `counts`, `batch`: its parts
//! - `desk`: the queue with its lock and its clock, for the listener on one side and the uplink on the other; `view`: what it shows of itself
//!
//! # Answers
//!
//! `200` with an empty body for whatever is authentic, whether it says anything of interest or not: a sender could do nothing about it. Of whoever shows
//! the secret, `413` for a body above [`limits::NOTIFICATION_BYTES`], `429` above the rate of one registry, `408` for a body that does not come. For everything
//! else `401`, in the same bytes and after the same work: an unknown registry, a wrong secret, an address that is not in `from`, a path or a
//! method that is none of ours; and `429` above the rate of what is not believed, `413`, `429` and `408` for bodies of which only the signature can
//! tell, in the same bytes for known and unknown names.
//!
//! Names of registries are no secrets: they stand in URLs, and in the logs of whatever is on the way. No single answer tells one; but registries and
//! names that are none's do not compete for the same places, so whoever may come from its address, and fills all of one kind with bodies that do
//! not come, sees by who has to make room whether another name is of that kind.
//!
//! A webhook of GitLab's projects and groups that shows the secret is answered 200 whatever it has for a body, which is passed over: at most
//! [`limits::PASSED_OVER_BYTES`] and 10 s of it.
//!
//! # Bounds
//!
//! | of what | bound | beyond it |
//! | --- | --- | --- |
//! | connections, and those of one address | 64, 16 | closed at once |
//! | connections of addresses that are in nobody's `from`, beside those | 8 | closed at once |
//! | TLS handshake, header, body, idleness | 10 s each | closed |
//! | a connection's life | 5 minutes | closed after the answer at hand |
//! | header, its lines | 16 KiB, 64 | `431` |
//! | body | 1 MiB | `413` |
//! | bodies above 64 KiB at once; the same, not believed yet; the same, of names that are no registry's | 4 each | `429` |
//! | signed body of an address that is in nobody's `from` | 64 KiB | the rest is passed over, and nothing kept of it |
//! | requests of one registry that are believed | 1,000 a second, 5,000 at once | `429` |
//! | requests of one address for one registry that are not believed | 1,000 a second, 5,000 at once | `429` for that registry from there to whoever does not show its secret, and of no such a signature is looked at |
//! | addresses and registries of which that is remembered | 4,096 | further ones have all of it |
//! | subjects that wait | 10,000 | the registry with the most is to be looked at as a whole |
//! | tags of one repository that wait | 100 | the repository is to be looked at as a whole |
//! | ids of events by which repetitions are known | 1,024 a registry | the oldest is forgotten |
//!
//! An IPv6 address is its first 64 bits: that is what one network hands to one host.
//!
//! Strangers may come through the same reverse proxy as registries, from one address. So whether the secret is shown is judged first, whatever came
//! before and before the body is read: whoever shows it is kept out by nobody, and a signature beside it is verified afterwards. What is not believed is
//! charged to the registry that it names, and takes no place from others: where all are taken, the name that has most of them gives one up whose body
//! has not come yet, to one that has fewer.
//!
//! The rate bounds what junk costs: bodies that are read, and signatures that are computed. Beyond it a secret that is shown is still compared, since
//! nothing else tells whom it is to keep out, and a wrong one is `429` from then on. What protects from guessing is the secret: of 16 characters at
//! least, it is not found at any rate at which connections can ask.
//!
//! # What is never lost
//!
//! An event that was answered with `200` is told to the control plane, alone or as part of something larger that covers it, until it is acknowledged;
//! or this agent ends. That is why each start is told as well (`started`): the control plane then looks at the whole registry when it
//! sees fit.
//!
//! [`limits::NOTIFICATION_BYTES`]: portolan_shared::model::limits::NOTIFICATION_BYTES
//! [`limits::PASSED_OVER_BYTES`]: portolan_shared::model::limits::PASSED_OVER_BYTES

mod batch;
mod body;
mod callers;
mod counts;
mod desk;
mod door;
mod listener;
mod path;
mod queue;
mod registry;
mod secret_file;
mod tls;
mod view;
mod waiting;
mod watch;

pub use desk::NotifyDesk;
pub use listener::{Listener, ListenerParts, NotifyError};
pub use secret_file::FileFault;
pub use view::{NotifierView, NotifyView};
pub use watch::{ListenerFiles, watch_files};

#[cfg(test)]
mod tests;
