//! The order of Maven's versions (`ComparableVersion` of maven-artifact, "POM reference, Version order").

use std::cmp::Ordering;

/// A part of a version.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    /// Without leading zeros; empty for zero.
    Number(String),
    Word(String),
    /// What stands behind a hyphen, or where digits and letters meet.
    List(Vec<Part>),
}

/// Lists in lists: hyphens of a version; more are no version that anybody released.
const DEPTH_MAX: usize = 64;

/// Which of two versions is newer.
pub(super) fn compare(left: &str, right: &str) -> Ordering {
    lists(&parts(left), &parts(right))
}

/// Where a word stands: known ones before and after the release, others behind, by their letters.
fn rank(word: &str) -> (usize, &str) {
    const KNOWN: [&str; 7] = ["alpha", "beta", "milestone", "rc", "snapshot", "", "sp"];
    KNOWN.iter().position(|it| *it == word).map_or((KNOWN.len(), word), |at| (at, ""))
}

impl Part {
    /// Whether it is left out at the end: zero, a word that means the release, an empty list.
    fn is_nothing(&self) -> bool {
        match self {
            Self::Number(it) | Self::Word(it) => it.is_empty(),
            Self::List(it) => it.is_empty(),
        }
    }

    /// Against what the other version does not have.
    fn against_nothing(&self) -> Ordering {
        match self {
            Self::Number(it) => (!it.is_empty()).cmp(&false),
            Self::Word(it) => rank(it).cmp(&rank("")),
            Self::List(it) => {
                let orders = it.iter().map(Self::against_nothing);
                orders.into_iter().find(|it| it.is_ne()).unwrap_or(Ordering::Equal)
            }
        }
    }

    fn against(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.len().cmp(&b.len()).then_with(|| a.cmp(b)),
            (Self::Word(a), Self::Word(b)) => rank(a).cmp(&rank(b)),
            (Self::List(a), Self::List(b)) => lists(a, b),
            // Numbers before lists, lists before words.
            (Self::Number(_), _) | (Self::List(_), Self::Word(_)) => Ordering::Greater,
            (_, Self::Number(_)) | (Self::Word(_), Self::List(_)) => Ordering::Less,
        }
    }
}

fn lists(left: &[Part], right: &[Part]) -> Ordering {
    let both = (0..left.len().max(right.len())).map(|at| match (left.get(at), right.get(at)) {
        (Some(a), Some(b)) => a.against(b),
        (Some(a), None) => a.against_nothing(),
        (None, Some(b)) => b.against_nothing().reverse(),
        (None, None) => Ordering::Equal,
    });
    both.into_iter().find(|it| it.is_ne()).unwrap_or(Ordering::Equal)
}

/// The lists that are open while a version is read, outermost first.
struct Open(Vec<Vec<Part>>);

impl Open {
    fn push(&mut self, part: Part) {
        if let Some(last) = self.0.last_mut() {
            last.push(part);
        }
    }

    fn deeper(&mut self) {
        if self.0.len() < DEPTH_MAX {
            self.0.push(Vec::new());
        }
    }

    fn is_fresh(&self) -> bool {
        self.0.last().is_none_or(Vec::is_empty)
    }

    fn close(mut self) -> Vec<Part> {
        let mut inner = None;
        while let Some(mut list) = self.0.pop() {
            list.extend(inner.take().map(Part::List));
            trim(&mut list);
            inner = Some(list);
        }
        inner.unwrap_or_default()
    }
}

/// Takes away what means nothing at the end, and before lists at the end.
fn trim(list: &mut Vec<Part>) {
    let mut at = list.len();
    while at > 0 {
        at -= 1;
        match list.get(at) {
            Some(part) if part.is_nothing() => {
                list.remove(at);
            }
            Some(Part::List(_)) => {}
            _ => break,
        }
    }
}

fn parts(version: &str) -> Vec<Part> {
    let version = version.to_lowercase();
    let mut open = Open(vec![Vec::new()]);
    let mut run = String::new();
    for letter in version.chars() {
        let was_digit = run.starts_with(|it: char| it.is_ascii_digit());
        match letter {
            '.' | '-' => {
                open.push(part(&run, false));
                run.clear();
                if letter == '-' {
                    open.deeper();
                }
            }
            _ if run.is_empty() || was_digit == letter.is_ascii_digit() => run.push(letter),
            _ => {
                // `1.x1` is read like `1-x-1`.
                if !was_digit && !open.is_fresh() {
                    open.deeper();
                }
                open.push(part(&run, !was_digit));
                open.deeper();
                run = letter.to_string();
            }
        }
    }
    if !run.is_empty() {
        let is_word = !run.starts_with(|it: char| it.is_ascii_digit());
        if is_word && !open.is_fresh() {
            open.deeper();
        }
        open.push(part(&run, false));
    }
    open.close()
}

/// A number or a word; nothing between two points is zero.
fn part(run: &str, before_digit: bool) -> Part {
    if run.is_empty() || run.starts_with(|it: char| it.is_ascii_digit()) {
        return Part::Number(run.trim_start_matches('0').to_string());
    }
    Part::Word(
        match run {
            "a" if before_digit => "alpha",
            "b" if before_digit => "beta",
            "m" if before_digit => "milestone",
            "cr" => "rc",
            "ga" | "final" | "release" => "",
            other => other,
        }
        .to_string(),
    )
}
