//! Sonatype Nexus Repository: several Docker repositories, each below `/repository/KEY`, or behind a port or host name of its own.
//!
//! Read at the address of the instance, all of them are read in one connection, and their images are named `KEY/IMAGE`; at the address of one,
//! that one alone. Behind a port or host name of its own nothing tells which one it is, so it is read as any other registry.
//!
//! `GET /service/rest/v1/components` walks the database, so it shows everything; it cannot be asked for one image. So what it tells of tags
//! while images are looked for is kept until they are listed. `/service/rest/v1/search` could be asked for one image, but it is served from
//! an index that lags behind.
//!
//! - `product`: what there is to know of it
//! - `components`: pages of components
//! - `images`: the images of the instance's repositories
//! - `kept`: tags that were seen while images were looked for

mod components;
mod images;
mod kept;
mod product;

pub(super) use product::Nexus;
