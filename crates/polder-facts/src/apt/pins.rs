//! Which version apt prefers: preferences and the default release (apt_preferences(5)).

use super::release::Release;
use super::sources::Source;
use super::stanza::parse_stanzas;
use crate::reading::{files_in, note, shown, text_if_there};
use polder_host::{Host, HostError};
use polder_model::Problem;

/// What a pin is about.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Match {
    Version(String),
    Origin(String),
    Release(Vec<(char, String)>),
}

/// One stanza of a preferences file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pin {
    packages: Vec<String>,
    matches: Match,
    priority: i32,
}

/// Every preference of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pins {
    pins: Vec<Pin>,
    default_release: Option<String>,
}

/// Priority of the version that is installed, when no index lists it.
pub const INSTALLED_PRIORITY: i32 = 100;

impl Pins {
    /// Reads the preferences and `APT::Default-Release`.
    pub fn read(host: &dyn Host) -> Result<(Self, Vec<Problem>), HostError> {
        let mut pins = Self::default();
        let mut problems = Vec::new();
        // A file is read when its name has no extension or ends in `.pref`.
        let is_preference = |name: &str| !name.contains('.') || name.ends_with(".pref");
        let mut files = files_in(host, "/etc/apt/preferences.d", is_preference)?;
        files.push("/etc/apt/preferences".into());
        for path in files {
            if let Some(text) = text_if_there(host, &path)? {
                pins.parse_preferences(&shown(&path), &text, &mut problems);
            }
        }
        let mut files = files_in(host, "/etc/apt/apt.conf.d", |name| {
            !name.contains('.') || name.ends_with(".conf")
        })?;
        files.push("/etc/apt/apt.conf".into());
        for path in files {
            let Some(text) = text_if_there(host, &path)? else { continue };
            if let Some(release) = default_release(&text) {
                pins.default_release = Some(release);
            }
        }
        Ok((pins, problems))
    }

    /// Adds the stanzas of one preferences file.
    pub fn parse_preferences(&mut self, place: &str, text: &str, problems: &mut Vec<Problem>) {
        let (stanzas, bad) = parse_stanzas(text);
        for (line, says) in bad {
            note(problems, format!("{place}:{line}"), says);
        }
        for stanza in stanzas {
            let place = format!("{place}:{}", stanza.line);
            let (package, pin) = (stanza.get("Package"), stanza.get("Pin"));
            if package.is_empty() && pin.is_empty() {
                continue;
            }
            let priority = match stanza.get("Pin-Priority") {
                "never" => Some(i32::from(i16::MIN)),
                number => number.parse().ok(),
            };
            let (Some(priority), Some(matches)) = (priority, parse_match(pin)) else {
                note(problems, place, "a pin that cannot be understood");
                continue;
            };
            let packages: Vec<String> =
                package.split_ascii_whitespace().map(str::to_string).collect();
            if packages.iter().any(|it| it.starts_with('/')) {
                note(problems, &place, "a pin by regular expression is not understood here");
            }
            self.pins.push(Pin { packages, matches, priority });
        }
    }

    /// Priority of everything in an index.
    pub fn of_index(&self, source: &Source, release: &Release) -> i32 {
        let is_default = self.default_release.as_deref().is_some_and(|it| {
            [&release.suite, &release.codename, &release.version].iter().any(|name| **name == it)
        });
        if is_default {
            return 990;
        }
        let general = self.pins.iter().find(|pin| {
            pin.packages.iter().any(|it| it == "*") && pin.matches.index(source, release)
        });
        match general {
            Some(pin) => pin.priority,
            None if release.not_automatic && release.but_automatic_upgrades => 100,
            None if release.not_automatic => 1,
            None => 500,
        }
    }

    /// Priority of one version of a package by a pin that names the package, where there is one.
    pub fn of_version(
        &self,
        package: &str,
        source_package: &str,
        version: &str,
        indices: &[(&Source, &Release)],
    ) -> Option<i32> {
        let named = self.pins.iter().find(|pin| {
            pin.packages.iter().any(|it| names(it, package, source_package))
                && match &pin.matches {
                    Match::Version(pattern) => glob(pattern, version),
                    other => indices.iter().any(|(source, release)| other.index(source, release)),
                }
        })?;
        Some(named.priority)
    }
}

fn names(pattern: &str, package: &str, source_package: &str) -> bool {
    match pattern.strip_prefix("src:") {
        Some(pattern) => glob(pattern, source_package),
        None => pattern != "*" && glob(pattern.split(':').next().unwrap_or(pattern), package),
    }
}

impl Match {
    fn index(&self, source: &Source, release: &Release) -> bool {
        match self {
            Self::Version(_) => false,
            Self::Origin(site) => {
                site.is_empty() && source.uri.starts_with("file:") || glob(site, source.site())
            }
            Self::Release(parts) => parts.iter().all(|(key, value)| match key {
                'a' => glob(value, &release.suite),
                'n' => glob(value, &release.codename),
                'o' => glob(value, &release.origin),
                'l' => glob(value, &release.label),
                'v' => glob(value, &release.version),
                'c' => glob(value, &source.component),
                _ => true,
            }),
        }
    }
}

fn parse_match(pin: &str) -> Option<Match> {
    let (kind, rest) = pin.split_once(char::is_whitespace)?;
    let rest = rest.trim();
    Some(match kind {
        "version" => Match::Version(rest.into()),
        "origin" => Match::Origin(rest.trim_matches('"').into()),
        "release" => {
            let mut parts = Vec::new();
            for part in rest.split(',').map(str::trim).filter(|it| !it.is_empty()) {
                match part.split_once('=') {
                    Some((key, value)) => {
                        let key = key.trim().chars().next()?;
                        parts.push((key, value.trim().trim_matches('"').to_string()));
                    }
                    // A bare word is a suite or, beginning with a digit, a version.
                    None if part.starts_with(|it: char| it.is_ascii_digit()) => {
                        parts.push(('v', part.into()));
                    }
                    None => parts.push(('a', part.into())),
                }
            }
            Match::Release(parts)
        }
        _ => return None,
    })
}

/// Whether `text` matches a pattern with `*` and `?`.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut within) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while within < text.len() {
        match pattern.get(at) {
            Some('*') => {
                retry = Some((at, within));
                at += 1;
            }
            Some(it) if *it == '?' || Some(it) == text.get(within) => {
                at += 1;
                within += 1;
            }
            _ => match retry {
                Some((star, from)) => {
                    at = star + 1;
                    within = from + 1;
                    retry = Some((star, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|it| *it == '*')
}

fn default_release(text: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let line = line.trim();
        let rest = line.get(..20).filter(|it| it.eq_ignore_ascii_case("APT::Default-Release"))?;
        let value = line.get(rest.len()..)?.trim().trim_end_matches(';').trim_matches('"');
        (!value.is_empty()).then(|| value.to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_as_in_a_shell() {
        assert!(glob("lib*-dev", "libssl-dev"));
        assert!(glob("*", ""));
        assert!(!glob("a?c", "ac"));
        assert!(glob("5.8*", "5.8.1"));
        assert!(!glob("nodejs", "nodejs-doc"));
    }

    #[test]
    fn a_default_release_is_found() {
        assert_eq!(default_release("APT::Default-Release \"bookworm\";"), Some("bookworm".into()));
        assert_eq!(default_release("APT::Get::Assume-Yes \"true\";"), None);
    }
}
