//! Which order the versions of an ecosystem follow.

mod composer;
mod gem;
mod maven;

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
    /// Semantic versions, as crates.io, npm and Go have them.
    Semver,
    /// Python (PEP 440).
    Pep440,
    /// Ruby gems.
    Gem,
    /// PHP packages.
    Composer,
    /// Java archives.
    Maven,
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
            Self::Gem => Some(gem::compare(left, right)),
            Self::Composer => Some(composer::compare(left, right)),
            Self::Maven => Some(maven::compare(left, right)),
        }
    }
}

impl Order {
    /// A name as it is compared: of Python packages in lower case with `-` (PEP 503), of PHP
    /// packages in lower case.
    pub fn normal_name(self, name: &str) -> String {
        match self {
            Self::Pep440 => {}
            Self::Composer => return name.to_lowercase(),
            _ => return name.to_string(),
        }
        let mut out = String::new();
        for character in name.chars() {
            match character {
                '-' | '_' | '.' if out.ends_with('-') => {}
                '-' | '_' | '.' => out.push('-'),
                other => out.extend(other.to_lowercase()),
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rising(order: Order, versions: &[&str]) {
        for (at, older) in versions.iter().enumerate() {
            for newer in versions.iter().skip(at + 1) {
                let says = order.compare(older, newer);
                assert_eq!(says, Some(Ordering::Less), "{older} < {newer}");
                assert_eq!(order.compare(newer, older), Some(Ordering::Greater));
            }
        }
    }

    #[test]
    fn gems_rise() {
        // The order given in the documentation of `Gem::Version`, and leading zeros.
        rising(
            Order::Gem,
            &["1.0.a.1", "1.0.a9", "1.0.a10", "1.0.b1", "1.0", "1.0.1", "1.2", "1.10"],
        );
        assert_eq!(Order::Gem.compare("1.0.0", "1"), Some(Ordering::Equal));
        assert_eq!(Order::Gem.compare("1.01", "1.1"), Some(Ordering::Equal));
    }

    #[test]
    fn php_packages_rise() {
        let versions = [
            "1.0.0-dev",
            "1.0.0-alpha1",
            "1.0.0-beta",
            "1.0.0-beta2",
            "1.0.0-RC1",
            "1.0",
            "1.0.0-p1",
            "1.0.1",
            "1.10",
        ];
        rising(Order::Composer, &versions);
        assert_eq!(Order::Composer.compare("v1.0", "1.0.0.0"), Some(Ordering::Equal));
    }

    #[test]
    fn java_archives_rise() {
        // From the POM reference of Maven, "Version Order Specification".
        let versions = [
            "1-alpha-1",
            "1-alpha-2",
            "1-beta",
            "1-m1",
            "1-rc",
            "1-snapshot",
            "1",
            "1-sp",
            "1-abc",
            "1-1",
            "1.1",
            "1.2-snapshot",
            "1.2",
            "1.10",
        ];
        rising(Order::Maven, &versions);
        let same = [
            ("1", "1.0.0"),
            ("1-ga", "1"),
            ("1.0-final", "1"),
            ("1-a1", "1-alpha-1"),
            ("1x", "1-x"),
            ("1.0.0-CR1", "1-rc-1"),
            ("2.0.RELEASE", "2"),
        ];
        for (a, b) in same {
            assert_eq!(Order::Maven.compare(a, b), Some(Ordering::Equal), "{a} {b}");
        }
        rising(Order::Maven, &["2.9.10", "2.9.10.8", "2.12.0-rc1", "2.12.0"]);
        rising(Order::Maven, &["31.0-android", "31.0-jre", "31.1-android"]);
    }

    proptest! {
        #[test]
        fn every_order_is_total(a in "[0-9a-z.-]{1,9}", b in "[0-9a-z.-]{1,9}", c in "[0-9a-z.-]{1,9}") {
            for order in [Order::Gem, Order::Composer, Order::Maven] {
                either_way(order, &a, &b)?;
            }
            for order in [Order::Gem, Order::Composer] {
                transitive(order, &a, &b, &c)?;
            }
        }

        /// Maven's own order is transitive only where no list begins with a list (`1-0-a`, `-a`): there `a` is
        /// before `-a0`, that before `-`, and that before `a`. Who asks Maven gets the same answers.
        #[test]
        fn mavens_order_is_total_for_versions_that_are_released(
            a in RELEASED, b in RELEASED, c in RELEASED
        ) {
            transitive(Order::Maven, &a, &b, &c)?;
        }
    }

    const RELEASED: &str =
        "[0-9]{1,2}(\\.[0-9]{1,2}){0,2}([.-]?(rc|alpha|jre|[a-z])([.-]?[1-9])?)?(-snapshot)?";

    fn either_way(order: Order, a: &str, b: &str) -> Result<(), TestCaseError> {
        prop_assert_eq!(order.compare(a, b), order.compare(b, a).map(Ordering::reverse));
        prop_assert_eq!(order.compare(a, a), Some(Ordering::Equal));
        Ok(())
    }

    fn transitive(order: Order, a: &str, b: &str, c: &str) -> Result<(), TestCaseError> {
        let is_le = |a: &str, b: &str| order.compare(a, b).is_some_and(Ordering::is_le);
        if is_le(a, b) && is_le(b, c) {
            prop_assert!(is_le(a, c), "{order:?} {a} {b} {c}");
        }
        Ok(())
    }
}
