//! The orders of versions that package managers use.

pub mod apk;
pub mod deb;
pub mod rpm;
