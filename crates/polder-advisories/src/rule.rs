//! Which versions a flaw is in.

use crate::order::Order;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;

/// Spans, or versions, that are named in words.
const SHOWN: usize = 4;

/// Where a flaw ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End<'a> {
    /// Nowhere: no version is known to be free of it.
    Open,
    /// Before this version, which has the fix.
    Fixed(#[serde(borrow)] &'a str),
    /// With this version, the last that has the flaw.
    Last(#[serde(borrow)] &'a str),
}

/// Versions from one that brought a flaw in to one that ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span<'a> {
    /// The first version that has it; `0` is before all versions.
    pub introduced: &'a str,
    /// Where it ends.
    #[serde(borrow)]
    pub end: End<'a>,
}

/// The versions of a package that have a flaw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rule<'a> {
    /// All before this version.
    Before(#[serde(borrow)] &'a str),
    /// All: there is no fix, for this reason.
    NoFix(#[serde(borrow)] &'a str),
    /// Nobody has looked yet.
    Undetermined,
    /// None: the vendor says that this package does not have it.
    NotAffected,
    /// Those in a span, and those listed.
    Listed {
        /// Spans of versions.
        #[serde(borrow)]
        spans: Vec<Span<'a>>,
        /// Single versions.
        #[serde(borrow)]
        versions: Vec<&'a str>,
    },
}

impl<'a> Rule<'a> {
    /// Whether a version has the flaw; none where the versions cannot be compared.
    pub fn has_flaw(&self, order: Order, version: &str) -> Option<bool> {
        match self {
            Self::Before(fixed) => is_before(order, version, fixed),
            Self::NoFix(_) => Some(true),
            Self::Undetermined => None,
            Self::NotAffected => Some(false),
            Self::Listed { spans, versions } => {
                // Ranges of another kind, such as commits, say nothing of versions.
                if spans.is_empty() && versions.is_empty() {
                    return None;
                }
                let is_listed = versions.iter().any(|it| {
                    *it == version || order.compare(it, version) == Some(Ordering::Equal)
                });
                if is_listed {
                    return Some(true);
                }
                let mut has = false;
                for span in spans {
                    has |= span.holds(order, version)?;
                }
                Some(has)
            }
        }
    }

    /// The first version after the given one that is free of the flaw, where it is known.
    pub fn fixed_after(&self, order: Order, version: &str) -> Option<&'a str> {
        match self {
            Self::Before(fixed) => Some(fixed),
            Self::NoFix(_) | Self::Undetermined | Self::NotAffected => None,
            Self::Listed { spans, .. } => {
                let ends = spans.iter().filter_map(|span| match span.end {
                    End::Fixed(fixed) => Some(fixed),
                    End::Open | End::Last(_) => None,
                });
                let later = ends.filter(|it| {
                    order.compare(it, version).is_some_and(Ordering::is_gt)
                        && self.has_flaw(order, it) == Some(false)
                });
                later.min_by(|a, b| order.compare(a, b).unwrap_or(Ordering::Equal))
            }
        }
    }
}

impl fmt::Display for Rule<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Before(fixed) => write!(out, "fixed in {fixed}"),
            Self::NoFix(state) => write!(out, "no fix: {state}"),
            Self::Undetermined => out.write_str("the vendor has not looked at it yet"),
            Self::NotAffected => {
                out.write_str("the vendor says that this release does not have it")
            }
            Self::Listed { spans, versions } => {
                let mut parts: Vec<String> =
                    spans.iter().take(SHOWN).map(ToString::to_string).collect();
                // Where spans tell all, single versions are the same once more.
                if spans.is_empty() {
                    parts.extend(versions.iter().take(SHOWN).map(|it| (*it).to_string()));
                }
                let all = if spans.is_empty() { versions.len() } else { spans.len() };
                let more = if all > SHOWN { ", and more" } else { "" };
                write!(out, "in {}{more}", parts.join(", "))
            }
        }
    }
}

impl fmt::Display for Span<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.introduced, self.end) {
            ("0", End::Open) => out.write_str("all versions"),
            ("0", End::Fixed(fixed)) => write!(out, "all before {fixed}"),
            ("0", End::Last(last)) => write!(out, "all up to {last}"),
            (first, End::Open) => write!(out, "{first} and later"),
            (first, End::Fixed(fixed)) => write!(out, "{first} to before {fixed}"),
            (first, End::Last(last)) => write!(out, "{first} to {last}"),
        }
    }
}

impl Span<'_> {
    /// Whether a version lies in the span.
    pub fn holds(&self, order: Order, version: &str) -> Option<bool> {
        // `0` is before every version, whatever the order says of it (OSV schema, "introduced").
        if self.introduced != "0" && order.compare(version, self.introduced)?.is_lt() {
            return Some(false);
        }
        match self.end {
            End::Open => Some(true),
            End::Fixed(fixed) => is_before(order, version, fixed),
            End::Last(last) => Some(order.compare(version, last)?.is_le()),
        }
    }
}

/// Whether a release of RPM is built for a stream of a module: of several side by side, each with fixes of its own.
pub(crate) fn is_modular(order: Order, version: &str) -> bool {
    order == Order::Rpm && version.contains(".module")
}

/// Whether a version comes before the one with the fix. A fix in a stream of a module is none for packages of no
/// stream, nor the other way round; and which stream a version is of, it does not tell: an older one may be of
/// another, which the fix is not about.
fn is_before(order: Order, version: &str, fixed: &str) -> Option<bool> {
    let is_before = order.compare(version, fixed)?.is_lt();
    match (is_modular(order, version), is_modular(order, fixed)) {
        (true, true) if is_before => None,
        (true, false) | (false, true) => Some(false),
        _ => Some(is_before),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fix_in_a_stream_of_a_module_tells_of_that_stream_only() {
        let fixed = "1:18.20.4-1.module_el9.4.0+1+a";
        let before = Rule::Before(fixed);
        let spans = vec![Span { introduced: "0", end: End::Fixed(fixed) }];
        let listed = Rule::Listed { spans, versions: Vec::new() };
        for rule in [&before, &listed] {
            let has = |version| rule.has_flaw(Order::Rpm, version);
            // Of stream 16, or of 18 and not yet fixed: nothing tells.
            assert_eq!(has("1:16.20.2-1.module_el9.2.0+2+b"), None);
            assert_eq!(has(fixed), Some(false));
            assert_eq!(has("1:20.1.0-1.module_el9.4.0+3+c"), Some(false));
            assert_eq!(has("1:16.20.2-1.el9"), Some(false));
        }
        let plain = Rule::Before("1:16.20.3-1.el9");
        assert_eq!(plain.has_flaw(Order::Rpm, "1:16.20.2-1.el9"), Some(true));
        assert_eq!(plain.has_flaw(Order::Rpm, "1:16.20.2-1.module_el9.2.0+2+b"), Some(false));
    }
}
