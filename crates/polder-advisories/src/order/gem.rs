//! The order of Ruby gems (`Gem::Version`): words are pre-releases, and missing parts are zero.

use std::cmp::Ordering;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part<'a> {
    // A word comes before any number.
    Word(&'a str),
    /// Without leading zeros: by length first, then digit by digit.
    Number(usize, &'a str),
}

const ZERO: Part<'_> = Part::Number(0, "");

/// Which of two versions is newer.
pub(super) fn compare(left: &str, right: &str) -> Ordering {
    let (left, right) = (parts(left), parts(right));
    // What one has more of is compared with zero.
    let part = |at: usize| (left.get(at).unwrap_or(&ZERO), right.get(at).unwrap_or(&ZERO));
    let orders = (0..left.len().max(right.len())).map(|at| {
        let (left, right) = part(at);
        left.cmp(right)
    });
    orders.into_iter().find(|it| it.is_ne()).unwrap_or(Ordering::Equal)
}

fn parts(version: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    for piece in version.split(['.', '-', '+']) {
        let mut rest = piece;
        while let Some(first) = rest.chars().next() {
            let is_digit = first.is_ascii_digit();
            let end = rest.find(|it: char| it.is_ascii_digit() != is_digit).unwrap_or(rest.len());
            let (run, after) = rest.split_at(end);
            let digits = run.trim_start_matches('0');
            parts.push(if is_digit { Part::Number(digits.len(), digits) } else { Part::Word(run) });
            rest = after;
        }
    }
    parts
}
