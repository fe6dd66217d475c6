//! The order of Debian versions (deb-version(7)).

use super::by_value;
use std::cmp::Ordering;

/// Compares two versions as dpkg does: epoch, upstream version, revision.
pub fn compare(left: &str, right: &str) -> Ordering {
    let (left_epoch, left) = split_epoch(left);
    let (right_epoch, right) = split_epoch(right);
    let (left_upstream, left_revision) = left.rsplit_once('-').unwrap_or((left, ""));
    let (right_upstream, right_revision) = right.rsplit_once('-').unwrap_or((right, ""));
    left_epoch
        .cmp(&right_epoch)
        .then_with(|| compare_part(left_upstream.as_bytes(), right_upstream.as_bytes()))
        .then_with(|| compare_part(left_revision.as_bytes(), right_revision.as_bytes()))
}

fn split_epoch(version: &str) -> (u64, &str) {
    match version.split_once(':') {
        Some((epoch, rest)) => (epoch.trim().parse().unwrap_or(0), rest),
        None => (0, version),
    }
}

/// Order of one byte outside numbers: `~` before the end, letters before everything else.
fn weight(byte: Option<u8>) -> i32 {
    match byte {
        None => 0,
        Some(b'~') => -1,
        Some(byte) if byte.is_ascii_digit() => 0,
        Some(byte) if byte.is_ascii_alphabetic() => i32::from(byte),
        Some(byte) => i32::from(byte) + 256,
    }
}

fn compare_part(mut left: &[u8], mut right: &[u8]) -> Ordering {
    let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    while !left.is_empty() || !right.is_empty() {
        while (!left.is_empty() && !is_digit(left.first()))
            || (!right.is_empty() && !is_digit(right.first()))
        {
            let order = weight(left.first().copied()).cmp(&weight(right.first().copied()));
            if order.is_ne() {
                return order;
            }
            left = left.get(1..).unwrap_or_default();
            right = right.get(1..).unwrap_or_default();
        }
        let (left_number, left_rest) = take_number(left);
        let (right_number, right_rest) = take_number(right);
        let order = by_value(left_number, right_number);
        if order.is_ne() {
            return order;
        }
        (left, right) = (left_rest, right_rest);
    }
    Ordering::Equal
}

fn take_number(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len()))
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
    fn versions_are_ordered_as_dpkg_does() {
        check("1.0", Ordering::Less, "1.1");
        check("1.0~rc1", Ordering::Less, "1.0");
        check("1.0", Ordering::Less, "1.0+deb12u1");
        check("1:0.9", Ordering::Greater, "2.0");
        check("1.0-1", Ordering::Less, "1.0-1.1");
        check("1.0-1~bpo12+1", Ordering::Less, "1.0-1");
        check("1.10", Ordering::Greater, "1.9");
        check("1.0.0", Ordering::Greater, "1.0");
        check("1.0", Ordering::Equal, "1.00");
        check("1.0", Ordering::Equal, "1.0-0");
        check("2.36-9+deb12u10", Ordering::Greater, "2.36-9+deb12u9");
        check("1a", Ordering::Less, "1+");
    }

    proptest! {
        #[test]
        fn the_order_is_total(
            a in "[0-9a-c.+~:-]{0,8}", b in "[0-9a-c.+~:-]{0,8}", c in "[0-9a-c.+~:-]{0,8}",
        ) {
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
            if compare(&a, &b).is_le() && compare(&b, &c).is_le() {
                prop_assert!(compare(&a, &c).is_le());
            }
        }
    }
}
