//! The order of RPM versions (rpm-version(7)).

use super::by_value;
use std::cmp::Ordering;

/// Compares `epoch:version-release` as rpm does; a missing epoch is zero.
///
/// A side without a release is compared by epoch and version alone, as rpm's own dependencies are.
pub fn compare(left: &str, right: &str) -> Ordering {
    let (left_epoch, left_version, left_release) = split(left);
    let (right_epoch, right_version, right_release) = split(right);
    left_epoch.cmp(&right_epoch).then_with(|| compare_part(left_version, right_version)).then_with(
        || match (left_release, right_release) {
            (Some(left), Some(right)) => compare_part(left, right),
            _ => Ordering::Equal,
        },
    )
}

/// Epoch, version, release.
fn split(text: &str) -> (u64, &str, Option<&str>) {
    let (epoch, rest) = match text.split_once(':') {
        Some((epoch, rest)) if !epoch.is_empty() && epoch.bytes().all(|it| it.is_ascii_digit()) => {
            (epoch.parse().unwrap_or(u64::MAX), rest)
        }
        _ => (0, text),
    };
    match rest.rsplit_once('-') {
        Some((version, release)) => (epoch, version, Some(release)),
        None => (epoch, rest, None),
    }
}

/// Compares one part as `rpmvercmp` does: runs of digits and of letters, `~` before everything and
/// `^` after the end but before anything else.
pub fn compare_part(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left.as_bytes(), right.as_bytes());
    loop {
        left = skip_separators(left);
        right = skip_separators(right);
        match (left.first() == Some(&b'~'), right.first() == Some(&b'~')) {
            (true, true) => {
                (left, right) = (rest(left, 1), rest(right, 1));
                continue;
            }
            (true, false) => return Ordering::Less,
            (false, true) => return Ordering::Greater,
            (false, false) => {}
        }
        match (left.first() == Some(&b'^'), right.first() == Some(&b'^')) {
            (true, true) => {
                (left, right) = (rest(left, 1), rest(right, 1));
                continue;
            }
            (true, false) if right.is_empty() => return Ordering::Greater,
            (false, true) if left.is_empty() => return Ordering::Less,
            (true, false) => return Ordering::Less,
            (false, true) => return Ordering::Greater,
            (false, false) => {}
        }
        if left.is_empty() || right.is_empty() {
            // Whatever is left is newer.
            return left.len().cmp(&right.len());
        }
        let is_number = left.first().is_some_and(u8::is_ascii_digit);
        let is_kind =
            |it: &u8| if is_number { it.is_ascii_digit() } else { it.is_ascii_alphabetic() };
        let (left_run, left_rest) = take(left, is_kind);
        let (right_run, right_rest) = take(right, is_kind);
        if right_run.is_empty() {
            // Numbers are newer than letters.
            return if is_number { Ordering::Greater } else { Ordering::Less };
        }
        let order = match is_number {
            true => by_value(left_run, right_run),
            false => left_run.cmp(right_run),
        };
        if order.is_ne() {
            return order;
        }
        (left, right) = (left_rest, right_rest);
    }
}

fn skip_separators(text: &[u8]) -> &[u8] {
    let is_part = |it: &u8| it.is_ascii_alphanumeric() || matches!(it, b'~' | b'^');
    rest(text, text.iter().position(is_part).unwrap_or(text.len()))
}

fn take(text: &[u8], is_kind: impl Fn(&u8) -> bool) -> (&[u8], &[u8]) {
    text.split_at(text.iter().position(|it| !is_kind(it)).unwrap_or(text.len()))
}

fn rest(text: &[u8], from: usize) -> &[u8] {
    text.get(from..).unwrap_or_default()
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
    fn versions_are_ordered_as_rpm_does() {
        check("1.0-1.fc42", Ordering::Less, "1.1-1.fc42");
        check("1.0-2.fc42", Ordering::Less, "1.0-10.fc42");
        check("0:1.0-1", Ordering::Equal, "1.0-1");
        check("1:0.1-1", Ordering::Greater, "9.9-1");
        check("1.0~rc1-1", Ordering::Less, "1.0-1");
        check("1.0^git1-1", Ordering::Greater, "1.0-1");
        check("1.0^git1-1", Ordering::Less, "1.0.1-1");
        check("1.05", Ordering::Equal, "1.5");
        check("1.a", Ordering::Less, "1.1");
        check("1.0.a", Ordering::Greater, "1.0");
        check("1_0", Ordering::Equal, "1.0");
        check("1.0", Ordering::Equal, "1.0-5");
    }

    proptest! {
        #[test]
        fn the_order_is_total(
            a in "[0-9a-c.~^_-]{0,8}", b in "[0-9a-c.~^_-]{0,8}",
        ) {
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
        }

        #[test]
        fn parts_are_ordered_transitively(
            a in "[0-9a-c.]{0,6}", b in "[0-9a-c.]{0,6}", c in "[0-9a-c.]{0,6}",
        ) {
            if compare_part(&a, &b).is_le() && compare_part(&b, &c).is_le() {
                prop_assert!(compare_part(&a, &c).is_le());
            }
        }
    }
}
