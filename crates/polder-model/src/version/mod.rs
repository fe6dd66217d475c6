//! The orders of versions that package managers use.

pub mod apk;
pub mod deb;
pub mod rpm;

use std::cmp::Ordering;

/// Compares runs of digits by their value, however long they are.
fn by_value(left: &[u8], right: &[u8]) -> Ordering {
    let without_zeros = |digits: &'_ [u8]| digits.iter().take_while(|it| **it == b'0').count();
    let left = left.get(without_zeros(left)..).unwrap_or_default();
    let right = right.get(without_zeros(right)..).unwrap_or_default();
    // Without leading zeros the longer one is larger; equal lengths compare as text.
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

/// Checks an order in both directions.
#[cfg(test)]
#[track_caller]
fn check(compare: fn(&str, &str) -> Ordering, left: &str, expected: Ordering, right: &str) {
    assert_eq!(compare(left, right), expected, "{left} {right}");
    assert_eq!(compare(right, left), expected.reverse(), "{right} {left}");
}
