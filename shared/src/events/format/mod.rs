//! The formats, one a file: how each is recognised, what is read out of it, and from where that is known.
//!
//! Each hands over what it finds to a [`Collector`](super::collect::Collector), which checks it. None of them decides what is a name.

mod acr;
mod artifactory;
mod cloud_events;
mod distribution;
mod docker_hub;
mod ecr;
mod ghcr;
mod gitea;
mod gitlab;
mod harbor;
mod nexus;
mod quay;
mod zot;

pub(super) use acr::read as acr;
pub(super) use artifactory::read as artifactory;
pub(super) use cloud_events::read as cloud_events;
pub(super) use docker_hub::read as docker_hub;
pub(super) use ecr::read as ecr;
pub(super) use ghcr::read as ghcr;
pub(super) use gitea::read as gitea;
pub(super) use gitlab::read as gitlab;
pub(super) use harbor::read as harbor;
pub(super) use nexus::read as nexus;
pub(super) use quay::read as quay;
