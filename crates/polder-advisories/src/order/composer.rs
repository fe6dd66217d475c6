//! The order of PHP packages, as Composer has it: four numbers, then a stability
//! (`version_compare` of PHP: dev, alpha, beta, RC, release, patch).

use std::cmp::Ordering;

/// Numbers that every version has; what is missing is zero.
const NUMBERS: usize = 4;

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// A word and its place among the stabilities; unknown words come before all.
    Word(u8),
    Number(u64),
}

/// Which of two versions is newer.
pub(super) fn compare(left: &str, right: &str) -> Ordering {
    let (left, right) = (parts(left), parts(right));
    for at in 0..left.len().max(right.len()) {
        let order = match (left.get(at), right.get(at)) {
            (Some(Part::Word(a)), Some(Part::Number(_)) | None) => a.cmp(&RELEASE),
            (Some(Part::Number(_)) | None, Some(Part::Word(b))) => RELEASE.cmp(b),
            (left, right) => left.cmp(&right),
        };
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

/// The place of a version without any word.
const RELEASE: u8 = 5;

fn stability(word: &str) -> u8 {
    match word.to_ascii_lowercase().as_str() {
        "dev" => 1,
        "alpha" | "a" => 2,
        "beta" | "b" => 3,
        "rc" | "c" => 4,
        "stable" => RELEASE,
        "patch" | "pl" | "p" => 6,
        _ => 0,
    }
}

fn parts(version: &str) -> Vec<Part> {
    // Build metadata is no part of the order.
    let version = version.split('+').next().unwrap_or_default().trim_start_matches('v');
    let mut parts = Vec::new();
    for piece in version.split(['.', '-', '_']) {
        let mut rest = piece;
        while let Some(first) = rest.chars().next() {
            let is_digit = first.is_ascii_digit();
            let end = rest.find(|it: char| it.is_ascii_digit() != is_digit).unwrap_or(rest.len());
            let (run, after) = rest.split_at(end);
            if !is_digit {
                while parts.len() < NUMBERS && parts.iter().all(|it| matches!(it, Part::Number(_)))
                {
                    parts.push(Part::Number(0));
                }
            }
            parts.push(match is_digit {
                true => Part::Number(run.parse().unwrap_or(u64::MAX)),
                false => Part::Word(stability(run)),
            });
            rest = after;
        }
    }
    while parts.len() < NUMBERS {
        parts.push(Part::Number(0));
    }
    parts
}
