//! Rules of sudo (sudoers(5)), with includes, aliases, tags, options and negation.

use crate::reading::{files_in, note, shown, text};
use polder_host::{Host, HostError};
use polder_model::facts::{SudoCommand, SudoRule};
use polder_model::{Coverage, Problem, Table, printable_str};
use std::collections::BTreeMap;
use std::path::Path;

/// Deepest nesting of includes and aliases; sudo's own limit for includes is 128.
const NESTING_MAX: usize = 32;

/// Most entries an alias may stand for after all are resolved.
const EXPANSION_MAX: usize = 10_000;

/// Rules of `/etc/sudoers` and all that it includes.
pub fn look(host: &dyn Host) -> Table<SudoRule> {
    let mut reader = Reader { host, lines: Vec::new(), problems: Vec::new(), denied: None };
    let start = Path::new("/etc/sudoers");
    match reader.file(start, 0) {
        Ok(()) => {}
        Err(error) if error.is_not_found() => {
            return Table::with(Coverage::not_applicable("there is no `/etc/sudoers`"), Vec::new());
        }
        Err(error) => {
            let coverage = crate::reading::not_looked(&error, "the rules of sudo");
            return Table::with(coverage, Vec::new());
        }
    }
    let coverage = match &reader.denied {
        Some(error) => crate::reading::partial(error, "the rules of sudo in that file"),
        None => Coverage::Complete,
    };
    let (rules, mut problems) = parse_lines(&reader.lines);
    reader.problems.append(&mut problems);
    Table::with(coverage, rules).problems(reader.problems)
}

/// One logical line with where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// File.
    pub file: String,
    /// Line, counted from one.
    pub number: usize,
    /// The line with its continuations joined and its comment gone.
    pub text: String,
}

struct Reader<'a> {
    host: &'a dyn Host,
    lines: Vec<Line>,
    problems: Vec<Problem>,
    denied: Option<HostError>,
}

impl Reader<'_> {
    fn file(&mut self, path: &Path, depth: usize) -> Result<(), HostError> {
        let text = text(self.host, path)?;
        let file = shown(path);
        for line in logical_lines(&text, &file) {
            match include_of(&line.text) {
                Some(include) => self.include(include, path, depth, &line),
                None => self.lines.push(line),
            }
        }
        Ok(())
    }

    fn include(&mut self, include: Include<'_>, from: &Path, depth: usize, line: &Line) {
        let place = format!("{}:{}", line.file, line.number);
        if depth >= NESTING_MAX {
            note(&mut self.problems, place, "includes are nested too deeply");
            return;
        }
        let (name, is_folder) = match include {
            Include::File(name) => (name, false),
            Include::Folder(name) => (name, true),
        };
        let path = from.parent().unwrap_or(Path::new("/")).join(name.trim_matches('"'));
        // Files in a folder are read unless their name holds a dot or ends with a tilde.
        let files = match is_folder {
            true => files_in(self.host, &path, |it| !it.contains('.') && !it.ends_with('~')),
            false => Ok(vec![path]),
        };
        let answer =
            files.and_then(|files| files.iter().try_for_each(|it| self.file(it, depth + 1)));
        if let Err(error) = answer {
            if error.is_denied() {
                self.denied = Some(error);
            } else {
                note(&mut self.problems, place, error.to_string());
            }
        }
    }
}

enum Include<'a> {
    File(&'a str),
    Folder(&'a str),
}

fn include_of(line: &str) -> Option<Include<'_>> {
    let rest = line.strip_prefix(['@', '#'])?;
    if let Some(rest) = rest.strip_prefix("includedir").filter(|it| it.starts_with([' ', '\t'])) {
        return Some(Include::Folder(rest.trim()));
    }
    let rest = rest.strip_prefix("include").filter(|it| it.starts_with([' ', '\t']))?;
    Some(Include::File(rest.trim()))
}

/// Joins continued lines and cuts comments. `#` before a digit is a user id.
pub fn logical_lines(text: &str, file: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut open: Option<Line> = None;
    for (index, raw) in text.lines().enumerate() {
        let mut line = open.take().unwrap_or_else(|| Line {
            file: file.to_string(),
            number: index + 1,
            text: String::new(),
        });
        let (content, continued) = match raw.strip_suffix('\\') {
            // An even number of backslashes escape each other.
            Some(head) if head.bytes().rev().take_while(|it| *it == b'\\').count() % 2 == 0 => {
                (head, true)
            }
            _ => (raw, false),
        };
        line.text.push_str(content);
        if continued {
            line.text.push(' ');
            open = Some(line);
            continue;
        }
        line.text = without_comment(&line.text).trim().to_string();
        if !line.text.is_empty() {
            lines.push(line);
        }
    }
    if let Some(mut line) = open {
        line.text = without_comment(&line.text).trim().to_string();
        lines.push(line);
    }
    lines.retain(|line| !line.text.is_empty());
    lines
}

fn without_comment(text: &str) -> &str {
    if include_of(text.trim_start()).is_some() {
        return text;
    }
    let (mut quoted, mut escaped) = (false, false);
    for (at, character) in text.char_indices() {
        let next = text.get(at + 1..).and_then(|it| it.chars().next());
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            '#' if !quoted && !next.is_some_and(|it| it.is_ascii_digit() || it == '-') => {
                return text.get(..at).unwrap_or_default();
            }
            _ => {}
        }
    }
    text
}

/// Lists by name: what each alias of a kind stands for.
#[derive(Default)]
struct Aliases {
    users: BTreeMap<String, Vec<String>>,
    hosts: BTreeMap<String, Vec<String>>,
    run_as: BTreeMap<String, Vec<String>>,
    commands: BTreeMap<String, Vec<String>>,
}

/// Reads rules from logical lines; aliases may be used before they are defined.
pub fn parse_lines(lines: &[Line]) -> (Vec<SudoRule>, Vec<Problem>) {
    let mut aliases = Aliases::default();
    let mut problems = Vec::new();
    let mut rules: Vec<(&Line, &str)> = Vec::new();
    let mut no_password_for_all = false;
    for line in lines {
        let (word, rest) = line.text.split_once([' ', '\t']).unwrap_or((line.text.as_str(), ""));
        let table = match word {
            "User_Alias" => &mut aliases.users,
            "Host_Alias" => &mut aliases.hosts,
            "Runas_Alias" => &mut aliases.run_as,
            "Cmnd_Alias" | "Cmd_Alias" => &mut aliases.commands,
            _ if word.starts_with("Defaults") => {
                // Only what everybody is freed from; limits to users or hosts are kept as they are.
                if word == "Defaults" && rest.split(',').any(|it| it.trim() == "!authenticate") {
                    no_password_for_all = true;
                }
                continue;
            }
            _ => {
                rules.push((line, line.text.as_str()));
                continue;
            }
        };
        for definition in split_outside(rest, ':') {
            match definition.split_once('=') {
                Some((name, list)) => {
                    let list = split_list(list);
                    table.entry(name.trim().to_string()).or_default().extend(list);
                }
                None => note(&mut problems, place(line), "an alias without a meaning"),
            }
        }
    }
    let mut out = Vec::new();
    for (line, text) in rules {
        match parse_rule(text, &aliases) {
            Some(parts) => {
                for (users, hosts, mut commands) in parts {
                    for command in &mut commands {
                        command.no_password |= no_password_for_all;
                    }
                    out.push(SudoRule {
                        file: line.file.clone(),
                        line: line.number,
                        users,
                        hosts,
                        commands,
                    });
                }
            }
            None => note(&mut problems, place(line), "a rule that cannot be understood"),
        }
    }
    (out, problems)
}

fn place(line: &Line) -> String {
    format!("{}:{}", line.file, line.number)
}

type Part = (Vec<String>, Vec<String>, Vec<SudoCommand>);

/// `USERS HOSTS = COMMANDS : HOSTS = COMMANDS ...`
fn parse_rule(text: &str, aliases: &Aliases) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut users = Vec::new();
    for (index, section) in split_sections(text).into_iter().enumerate() {
        let at = find_outside(section, '=')?;
        let left = section.get(..at)?.trim();
        let commands = section.get(at + 1..)?;
        let hosts = if index == 0 {
            let at = end_of_list(left)?;
            users = split_list(left.get(..at)?);
            left.get(at..)?
        } else {
            left
        };
        let hosts = split_list(hosts);
        if users.is_empty() || hosts.is_empty() {
            return None;
        }
        parts.push((
            resolve(&users, &aliases.users, 0),
            resolve(&hosts, &aliases.hosts, 0),
            parse_commands(commands, aliases)?,
        ));
    }
    (!parts.is_empty()).then_some(parts)
}

/// Colons divide host lists, but also stand in `(root : wheel)`, after tags and in digests.
fn split_sections(text: &str) -> Vec<&str> {
    let mut sections = Vec::new();
    let mut start = 0;
    // A section has an equals sign; where they stand is looked up once, for long lines.
    let equals = positions_outside(text, '=');
    let has_equals = |from: usize, to: usize| {
        equals.get(equals.partition_point(|at| *at < from)).is_some_and(|at| *at < to)
    };
    for at in positions_outside(text, ':') {
        let before = text.get(start..at).unwrap_or_default();
        // Tags and digests are short words: looking further back would take quadratic time.
        let tail = (before.len().saturating_sub(WORD_BYTES_MAX)..=before.len())
            .find_map(|from| before.get(from..))
            .unwrap_or_default();
        let word = tail.rsplit([' ', '\t', ',', '=', ')']).next().unwrap_or_default();
        let divides_more = TAGS.contains(&word) || word.starts_with("sha");
        if !divides_more && has_equals(at, text.len()) && has_equals(start, at) {
            sections.push(before);
            start = at + 1;
        }
    }
    sections.push(text.get(start..).unwrap_or_default());
    sections
}

/// Longest tag or name of a digest.
const WORD_BYTES_MAX: usize = 16;

const TAGS: [&str; 16] = [
    "EXEC",
    "NOEXEC",
    "FOLLOW",
    "NOFOLLOW",
    "LOG_INPUT",
    "NOLOG_INPUT",
    "LOG_OUTPUT",
    "NOLOG_OUTPUT",
    "MAIL",
    "NOMAIL",
    "INTERCEPT",
    "NOINTERCEPT",
    "PASSWD",
    "NOPASSWD",
    "SETENV",
    "NOSETENV",
];

const OPTIONS: [&str; 10] = [
    "ROLE=",
    "TYPE=",
    "PRIVS=",
    "LIMITPRIVS=",
    "NOTBEFORE=",
    "NOTAFTER=",
    "TIMEOUT=",
    "CWD=",
    "CHROOT=",
    "APPARMOR_PROFILE=",
];

/// Where the first list ends: after a word that no comma follows or precedes.
fn end_of_list(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            ' ' | '\t' if !quoted => {
                let before = text.get(..at)?.trim_end();
                let after = text.get(at..)?.trim_start();
                let goes_on =
                    before.ends_with([',', '!']) || after.starts_with(',') || before.is_empty();
                if !goes_on {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

fn parse_commands(text: &str, aliases: &Aliases) -> Option<Vec<SudoCommand>> {
    let mut commands = Vec::new();
    // Whom to run as and tags hold for what follows, too.
    let mut current = SudoCommand {
        run_as_users: vec!["root".into()],
        run_as_groups: Vec::new(),
        no_password: false,
        no_exec: false,
        set_env: false,
        command: String::new(),
    };
    for item in split_outside_brackets(text) {
        let mut rest = item.trim();
        if let Some(inner) = rest.strip_prefix('(') {
            let (list, after) = inner.split_once(')')?;
            let (users, groups) = list.split_once(':').unwrap_or((list, ""));
            current.run_as_users = resolve(&split_list(users), &aliases.run_as, 0);
            current.run_as_groups = resolve(&split_list(groups), &aliases.run_as, 0);
            rest = after.trim_start();
        }
        loop {
            if let Some((word, after)) = rest.split_once(':')
                && TAGS.contains(&word.trim())
            {
                match word.trim() {
                    "NOPASSWD" => current.no_password = true,
                    "PASSWD" => current.no_password = false,
                    "NOEXEC" => current.no_exec = true,
                    "EXEC" => current.no_exec = false,
                    "SETENV" => current.set_env = true,
                    "NOSETENV" => current.set_env = false,
                    _ => {}
                }
                rest = after.trim_start();
                continue;
            }
            if OPTIONS.iter().any(|it| rest.starts_with(it)) {
                rest = rest.split_once([' ', '\t']).map_or("", |(_, after)| after.trim_start());
                continue;
            }
            break;
        }
        if rest.is_empty() {
            return None;
        }
        for command in resolve(&[one_blank_each(rest)], &aliases.commands, 0) {
            let command = without_digest(&command);
            commands.push(SudoCommand { command, ..current.clone() });
        }
    }
    (!commands.is_empty()).then_some(commands)
}

/// Arguments stand one blank apart, however they were written.
fn one_blank_each(command: &str) -> String {
    command.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// `sha256:DIGEST /bin/x` allows `/bin/x`.
fn without_digest(command: &str) -> String {
    let starts = ["sha224:", "sha256:", "sha384:", "sha512:"];
    if starts.iter().any(|it| command.starts_with(it)) {
        return command.split_once(' ').map_or("", |(_, rest)| rest.trim_start()).to_string();
    }
    command.to_string()
}

/// Replaces aliases by what they stand for; `!` before an alias negates each of its entries.
fn resolve(list: &[String], aliases: &BTreeMap<String, Vec<String>>, depth: usize) -> Vec<String> {
    let mut out = Vec::new();
    for item in list {
        let (negated, name) = match item.strip_prefix('!') {
            Some(name) => (true, name.trim_start()),
            None => (false, item.as_str()),
        };
        match aliases.get(name).filter(|_| name != "ALL" && depth < NESTING_MAX) {
            Some(meaning) => {
                for it in resolve(meaning, aliases, depth + 1) {
                    if out.len() >= EXPANSION_MAX {
                        return out;
                    }
                    out.push(match (negated, it.strip_prefix('!')) {
                        (true, Some(bare)) => bare.to_string(),
                        (true, None) => format!("!{it}"),
                        (false, _) => it,
                    });
                }
            }
            None => out.push(printable_str(item)),
        }
    }
    out
}

fn positions_outside(text: &str, wanted: char) -> Vec<usize> {
    let mut positions = Vec::new();
    let (mut quoted, mut escaped, mut nested) = (false, false, 0_u32);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            '(' if !quoted => nested += 1,
            ')' if !quoted => nested = nested.saturating_sub(1),
            it if it == wanted && !quoted && nested == 0 => positions.push(at),
            _ => {}
        }
    }
    positions
}

fn find_outside(text: &str, wanted: char) -> Option<usize> {
    positions_outside(text, wanted).into_iter().next()
}

fn split_outside(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    for at in positions_outside(text, separator) {
        parts.push(text.get(start..at).unwrap_or_default());
        start = at + separator.len_utf8();
    }
    parts.push(text.get(start..).unwrap_or_default());
    parts
}

fn split_outside_brackets(text: &str) -> Vec<&str> {
    split_outside(text, ',').into_iter().filter(|it| !it.trim().is_empty()).collect()
}

/// A list by commas, quotes and escapes taken off, negations gathered into one sign.
fn split_list(text: &str) -> Vec<String> {
    split_outside(text, ',')
        .into_iter()
        .map(str::trim)
        .filter(|it| !it.is_empty())
        .map(|item| {
            let bare = item.trim_start_matches(['!', ' ', '\t']);
            let signs = item.len() - bare.len();
            let negations = item.get(..signs).unwrap_or_default().matches('!').count();
            let bare = if bare.contains('/') { bare.to_string() } else { unescaped(bare) };
            if negations % 2 == 1 { format!("!{bare}") } else { bare }
        })
        .collect()
}

fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().filter(|it| *it != '"');
    while let Some(character) = characters.next() {
        match character {
            '\\' => out.extend(characters.next()),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn rules(text: &str) -> Vec<SudoRule> {
        let (rules, problems) = parse_lines(&logical_lines(text, "s"));
        assert!(problems.is_empty(), "{problems:?}");
        rules
    }

    #[test]
    fn tags_and_whom_to_run_as_hold_for_what_follows() {
        let rules =
            rules("ada ALL = (www-data : web) NOPASSWD: /bin/a -x, /bin/b, PASSWD: /bin/c\n");
        let [a, b, c] = &rules[0].commands[..] else { panic!("{rules:?}") };
        assert_eq!((a.command.as_str(), a.no_password), ("/bin/a -x", true));
        assert_eq!(b.run_as_users, ["www-data"]);
        assert_eq!(b.run_as_groups, ["web"]);
        assert!(b.no_password && !c.no_password);
    }

    #[test]
    fn aliases_are_resolved_wherever_they_are_defined() {
        let rules = rules(
            "ADMINS, !eve ALL = SHELLS, !SHELLS\nUser_Alias ADMINS = ada, %wheel : OPS = bob\nCmnd_Alias SHELLS = /bin/sh, \\\n /bin/bash\n",
        );
        assert_eq!(rules[0].users, ["ada", "%wheel", "!eve"]);
        let commands: Vec<&str> = rules[0].commands.iter().map(|it| it.command.as_str()).collect();
        assert_eq!(commands, ["/bin/sh", "/bin/bash", "!/bin/sh", "!/bin/bash"]);
    }

    #[test]
    fn one_user_may_have_several_host_lists() {
        let rules = rules("bob web1, web2 = /bin/a : db = (ALL:ALL) NOPASSWD:ALL # all\n");
        assert_eq!(rules.len(), 2);
        assert_eq!(rules[0].hosts, ["web1", "web2"]);
        assert_eq!(rules[1].commands[0].run_as_users, ["ALL"]);
        assert!(rules[1].commands[0].no_password);
    }

    #[test]
    fn user_ids_quotes_and_options_are_understood() {
        let rules = rules("#1000, \"a b\", %#50 ALL = CWD=/tmp NOEXEC: sha256:abc= /bin/x\n");
        assert_eq!(rules[0].users, ["#1000", "a b", "%#50"]);
        assert_eq!(rules[0].commands[0].command, "/bin/x");
        assert!(rules[0].commands[0].no_exec);
    }

    #[test]
    fn nonsense_is_reported() {
        let (rules, problems) = parse_lines(&logical_lines("what is this\n= = =\n", "s"));
        assert!(rules.is_empty());
        assert_eq!(problems.len(), 2);
    }
}
