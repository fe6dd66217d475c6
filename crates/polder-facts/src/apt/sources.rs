//! Where apt gets packages from: `sources.list` in both of its forms (sources.list(5)).

use super::stanza::parse_stanzas;
use crate::reading::{files_in, note, shown, text_if_there};
use polder_host::{Host, HostError};
use polder_model::Problem;

/// One archive, suite and component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// `FILE:LINE` that names it.
    pub named_by: String,
    /// Address, without a slash at its end.
    pub uri: String,
    /// Suite; ends with a slash for flat archives.
    pub suite: String,
    /// Component; empty for flat archives.
    pub component: String,
    /// Architectures it is limited to; empty means all of dpkg's.
    pub architectures: Vec<String>,
}

impl Source {
    /// Start of the names that apt gives to the files of this suite.
    pub fn stem(&self) -> String {
        let uri = file_name(&self.uri);
        match self.suite.strip_suffix('/') {
            Some("" | ".") if self.suite == "./" => format!("{uri}_._"),
            Some("") => format!("{uri}_"),
            Some(flat) => format!("{uri}_{}_", file_name(flat)),
            None => format!("{uri}_dists_{}_", file_name(&self.suite)),
        }
    }

    /// Name of the index below the suite: as the release file lists it.
    pub fn index_path(&self, architecture: &str) -> String {
        if self.component.is_empty() {
            "Packages".into()
        } else {
            format!("{}/binary-{architecture}/Packages", self.component)
        }
    }

    /// Name of the file in apt's lists, without the suffix of its compression.
    pub fn index_file(&self, architecture: &str) -> String {
        format!("{}{}", self.stem(), file_name(&self.index_path(architecture)))
    }

    /// Host name of the address, for pins by origin.
    pub fn site(&self) -> &str {
        let rest = self.uri.split_once("://").map_or(self.uri.as_str(), |(_, rest)| rest);
        rest.split(['/', ':']).next().unwrap_or_default()
    }
}

/// The name apt gives to an address: no scheme, no login, slashes as underscores.
fn file_name(uri: &str) -> String {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let rest = match rest.split_once('/') {
        Some((authority, path)) if authority.contains('@') => {
            let host = authority.rsplit('@').next().unwrap_or_default();
            format!("{host}/{path}")
        }
        _ => rest.to_string(),
    };
    let mut name = String::with_capacity(rest.len());
    for character in rest.trim_end_matches('/').trim_start_matches('/').chars() {
        match character {
            '/' => name.push('_'),
            // The set that apt quotes in URItoFileName.
            '\\' | '|' | '{' | '}' | '[' | ']' | '<' | '>' | '"' | '^' | '~' | '_' | '=' | '!'
            | '@' | '#' | '$' | '%' | '&' | '*' => {
                name.push_str(&format!("%{:02x}", u32::from(character)));
            }
            other => name.push(other),
        }
    }
    name
}

/// Every enabled source of binary packages.
pub fn read(host: &dyn Host) -> Result<(Vec<Source>, Vec<Problem>), HostError> {
    let mut sources = Vec::new();
    let mut problems = Vec::new();
    let main = "/etc/apt/sources.list";
    if let Some(text) = text_if_there(host, main)? {
        parse_sources_list(main, &text, &mut sources, &mut problems);
    }
    for path in files_in(host, "/etc/apt/sources.list.d", is_source_name)? {
        let place = shown(&path);
        let Some(text) = text_if_there(host, &path)? else { continue };
        if place.ends_with(".list") {
            parse_sources_list(&place, &text, &mut sources, &mut problems);
        } else {
            parse_sources_deb822(&place, &text, &mut sources, &mut problems);
        }
    }
    Ok((sources, problems))
}

fn is_source_name(name: &str) -> bool {
    name.ends_with(".list") || name.ends_with(".sources")
}

/// Reads the form with one line for each archive.
pub fn parse_sources_list(
    place: &str,
    text: &str,
    sources: &mut Vec<Source>,
    problems: &mut Vec<Problem>,
) {
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let Some(rest) = line.strip_prefix("deb").filter(|it| it.starts_with([' ', '\t', '[']))
        else {
            if !line.is_empty() && !line.starts_with("deb-src") {
                note(problems, format!("{place}:{}", index + 1), "not a source");
            }
            continue;
        };
        let rest = rest.trim();
        let (options, rest) = match rest.strip_prefix('[').and_then(|it| it.split_once(']')) {
            Some((options, rest)) => (options, rest.trim()),
            None => ("", rest),
        };
        let architectures = options
            .split_ascii_whitespace()
            .find_map(|it| it.strip_prefix("arch="))
            .map(|it| it.split(',').map(str::to_string).collect())
            .unwrap_or_default();
        let mut words = rest.split_ascii_whitespace();
        let (Some(uri), Some(suite)) = (words.next(), words.next()) else {
            note(problems, format!("{place}:{}", index + 1), "a source without address or suite");
            continue;
        };
        let components: Vec<&str> = words.collect();
        push(sources, format!("{place}:{}", index + 1), uri, suite, &components, architectures);
    }
}

fn push(
    sources: &mut Vec<Source>,
    named_by: String,
    uri: &str,
    suite: &str,
    components: &[&str],
    architectures: Vec<String>,
) {
    let flat = suite.ends_with('/');
    let components = if flat { &[""] } else { components };
    for component in components {
        sources.push(Source {
            named_by: named_by.clone(),
            uri: uri.trim_end_matches('/').to_string(),
            suite: suite.to_string(),
            component: (*component).to_string(),
            architectures: architectures.clone(),
        });
    }
}

/// Reads the form with one paragraph for each archive.
pub fn parse_sources_deb822(
    place: &str,
    text: &str,
    sources: &mut Vec<Source>,
    problems: &mut Vec<Problem>,
) {
    let (stanzas, bad) = parse_stanzas(text);
    for (line, says) in bad {
        note(problems, format!("{place}:{line}"), says);
    }
    for stanza in stanzas {
        let types = stanza.get("Types");
        let enabled = !matches!(stanza.get("Enabled"), "no" | "false" | "0" | "off");
        if !enabled || !types.split_ascii_whitespace().any(|it| it == "deb") {
            continue;
        }
        let words = |name: &str| stanza.get(name).split_ascii_whitespace().collect::<Vec<_>>();
        let named_by = format!("{place}:{}", stanza.line);
        let architectures: Vec<String> =
            words("Architectures").into_iter().map(str::to_string).collect();
        for uri in words("URIs") {
            for suite in words("Suites") {
                let components = words("Components");
                push(sources, named_by.clone(), uri, suite, &components, architectures.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let (mut sources, mut problems) = (Vec::new(), Vec::new());
        parse_sources_list("s", text, &mut sources, &mut problems);
        let names: Vec<String> = sources.iter().map(|it| it.index_file("amd64")).collect();
        assert_eq!(names, expected);
    }

    #[test]
    fn an_index_has_the_name_apt_gives_it() {
        check(
            "deb http://archive.example/debian bookworm main contrib # all",
            &[
                "archive.example_debian_dists_bookworm_main_binary-amd64_Packages",
                "archive.example_debian_dists_bookworm_contrib_binary-amd64_Packages",
            ],
        );
        check(
            "deb [arch=amd64 signed-by=/x] https://u:p@h.example:8443/my_repo/ ./",
            &["h.example:8443_my%5frepo_._Packages"],
        );
        check(
            "deb http://h/d bookworm/updates main",
            &["h_d_dists_bookworm_updates_main_binary-amd64_Packages"],
        );
    }

    #[test]
    fn a_disabled_source_is_no_source() {
        let (mut sources, mut problems) = (Vec::new(), Vec::new());
        let text = "Types: deb deb-src\nURIs: http://h/d\nSuites: a a-updates\nComponents: main\n\nTypes: deb\nEnabled: no\nURIs: http://x\nSuites: b\nComponents: main\n";
        parse_sources_deb822("s", text, &mut sources, &mut problems);
        assert_eq!(sources.len(), 2);
        assert_eq!(sources[1].suite, "a-updates");
    }
}
