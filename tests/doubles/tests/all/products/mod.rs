//! The doubles of other products than GitLab, asked as these are asked: their challenges, their own APIs, and their quirks.

mod ask;
mod google;
mod harbor;
mod quay;
mod stores;
mod zot;
