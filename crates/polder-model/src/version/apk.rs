//! The order of Alpine versions (apk-package(5)): `1.2.3a_rc1~hash-r4`.

use super::by_value;
use std::cmp::Ordering;

/// Suffixes that come before the plain version, then those that come after it, in their order.
const BEFORE: [&str; 4] = ["alpha", "beta", "pre", "rc"];
const AFTER: [&str; 5] = ["cvs", "svn", "git", "hg", "p"];

/// A version in its parts.
#[derive(Debug, Default)]
struct Version<'a> {
    numbers: Vec<&'a str>,
    letter: Option<u8>,
    /// Rank of each suffix (negative before the plain version) with its number.
    suffixes: Vec<(i8, u64)>,
    revision: u64,
}

/// Compares two versions as apk does; what is no version of apk compares by its valid part.
pub fn compare(left: &str, right: &str) -> Ordering {
    let (left, right) = (parse(left), parse(right));
    numbers(&left.numbers, &right.numbers)
        .then_with(|| left.letter.cmp(&right.letter))
        .then_with(|| suffixes(&left.suffixes, &right.suffixes))
        .then_with(|| left.revision.cmp(&right.revision))
}

/// The first number by value; later ones by value unless one of them starts with a zero, which
/// makes both fractions.
fn numbers(left: &[&str], right: &[&str]) -> Ordering {
    for (at, (left, right)) in left.iter().zip(right).enumerate() {
        let is_fraction = at > 0 && (left.starts_with('0') || right.starts_with('0'));
        let order = match is_fraction {
            true => left.trim_end_matches('0').cmp(right.trim_end_matches('0')),
            false => by_value(left.as_bytes(), right.as_bytes()),
        };
        if order.is_ne() {
            return order;
        }
    }
    left.len().cmp(&right.len())
}

/// The shorter list goes on with the plain version.
fn suffixes(left: &[(i8, u64)], right: &[(i8, u64)]) -> Ordering {
    let plain = (0, 0);
    (0..left.len().max(right.len()))
        .map(|at| left.get(at).unwrap_or(&plain).cmp(right.get(at).unwrap_or(&plain)))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

fn parse(text: &str) -> Version<'_> {
    let mut version = Version::default();
    let (main, revision) = match text.rsplit_once("-r") {
        Some((main, revision)) if revision.bytes().all(|it| it.is_ascii_digit()) => {
            (main, revision.parse().unwrap_or(0))
        }
        _ => (text, 0),
    };
    version.revision = revision;
    // The hash of a commit says nothing of the order.
    let main = main.split('~').next().unwrap_or_default();
    let mut parts = main.split('_');
    let mut numeric = parts.next().unwrap_or_default();
    if let Some(letter) = numeric.bytes().last().filter(u8::is_ascii_lowercase) {
        version.letter = Some(letter);
        numeric = numeric.get(..numeric.len() - 1).unwrap_or_default();
    }
    version.numbers = numeric.split('.').collect();
    for part in parts {
        let end = part.find(|it: char| it.is_ascii_digit()).unwrap_or(part.len());
        let (word, number) = part.split_at(end);
        let place = |list: &[&str]| list.iter().position(|it| *it == word);
        let rank = |place: usize| i8::try_from(place).unwrap_or(i8::MAX - 1);
        let rank = match (place(&BEFORE), place(&AFTER)) {
            (Some(place), _) => rank(place) - 4,
            (None, Some(place)) => rank(place) + 1,
            (None, None) => continue,
        };
        version.suffixes.push((rank, number.parse().unwrap_or(0)));
    }
    version
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(left: &str, expected: Ordering, right: &str) {
        crate::version::check(compare, left, expected, right);
    }

    #[test]
    fn versions_are_ordered_as_apk_does() {
        check("1.2.3-r0", Ordering::Less, "1.2.3-r1");
        check("1.2.9-r0", Ordering::Less, "1.2.10-r0");
        check("1.2.3_rc1-r0", Ordering::Less, "1.2.3-r0");
        check("1.2.3_alpha2", Ordering::Less, "1.2.3_beta1");
        check("1.2.3_p1-r0", Ordering::Greater, "1.2.3-r5");
        check("9.7_p1-r4", Ordering::Less, "9.7_p2-r0");
        check("1.2.3a", Ordering::Greater, "1.2.3");
        check("1.2.3a", Ordering::Less, "1.2.3b");
        check("1.2", Ordering::Less, "1.2.0");
        check("1.02", Ordering::Less, "1.1");
        check("3.0_git20240101", Ordering::Greater, "3.0");
        check("1.0_rc1_git1", Ordering::Greater, "1.0_rc1");
        check("1.0~abc-r1", Ordering::Equal, "1.0~def-r1");
        check("20230506-r0", Ordering::Less, "20240203-r0");
    }

    proptest! {
        #[test]
        fn the_order_is_total(
            a in "[0-9]{1,2}(\\.[1-9]{1,2}){0,2}[ab]?(_(rc|p|git)[0-9]?)?(-r[0-9])?",
            b in "[0-9]{1,2}(\\.[1-9]{1,2}){0,2}[ab]?(_(rc|p|git)[0-9]?)?(-r[0-9])?",
            c in "[0-9]{1,2}(\\.[1-9]{1,2}){0,2}[ab]?(_(rc|p|git)[0-9]?)?(-r[0-9])?",
        ) {
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
            if compare(&a, &b).is_le() && compare(&b, &c).is_le() {
                prop_assert!(compare(&a, &c).is_le());
            }
        }

        #[test]
        fn whatever_is_read_is_compared(a in ".{0,24}", b in ".{0,24}") {
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
        }
    }
}
