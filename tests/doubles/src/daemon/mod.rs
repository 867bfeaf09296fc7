//! Programs that others wrote, run as child processes: a real registry, and an independent witness of what it serves.

mod child;
mod docker_registry;
mod layout;
mod settings;
mod skopeo;
mod small_image;

pub use docker_registry::{DockerRegistry, DockerRegistryBuilder};
pub use skopeo::Skopeo;
pub use small_image::SmallImage;
