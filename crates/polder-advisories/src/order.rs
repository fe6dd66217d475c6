//! Which order the versions of an ecosystem follow.

use polder_model::version::{apk, deb, rpm};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::str::FromStr;

/// An order of versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Debian packages.
    Deb,
    /// RPM packages.
    Rpm,
    /// Alpine packages.
    Apk,
    /// Semantic versions, as crates.io has them.
    Semver,
    /// Python (PEP 440).
    Pep440,
}

impl Order {
    /// Which of two versions is newer; none when one of them is no version of this kind.
    pub fn compare(self, left: &str, right: &str) -> Option<Ordering> {
        match self {
            Self::Deb => Some(deb::compare(left, right)),
            Self::Rpm => Some(rpm::compare(left, right)),
            Self::Apk => Some(apk::compare(left, right)),
            Self::Semver => {
                let left = semver::Version::parse(left).ok()?;
                // Build metadata is no part of the order.
                Some(left.cmp_precedence(&semver::Version::parse(right).ok()?))
            }
            Self::Pep440 => {
                let left = pep440_rs::Version::from_str(left).ok()?;
                Some(left.cmp(&pep440_rs::Version::from_str(right).ok()?))
            }
        }
    }
}
