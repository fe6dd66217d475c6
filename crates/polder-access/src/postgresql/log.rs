//! Refusals in the log of a server, with the statement that was refused.
//!
//! Statements stand there with their literals: they are handed on in memory, and nothing of them is kept.

use crate::RefusedStatement;

/// Longest statement that is put together.
const STATEMENT_BYTES_MAX: usize = 1 << 20;

/// A part of `log_line_prefix`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(char),
}

/// How lines of a log begin (`log_line_prefix`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPrefix(Vec<Part>);

impl LogPrefix {
    /// Reads the setting.
    pub fn parse(setting: &str) -> Self {
        let mut parts: Vec<Part> = Vec::new();
        let mut characters = setting.chars().peekable();
        while let Some(character) = characters.next() {
            let text = match character {
                '%' => {
                    // A number before the letter pads it.
                    while characters.peek().is_some_and(|it| it.is_ascii_digit() || *it == '-') {
                        characters.next();
                    }
                    match characters.next() {
                        Some('%') => '%',
                        Some('q') | None => continue,
                        Some(field) => {
                            parts.push(Part::Field(field));
                            continue;
                        }
                    }
                }
                other => other,
            };
            match parts.last_mut() {
                Some(Part::Text(known)) => known.push(text),
                _ => parts.push(Part::Text(text.to_string())),
            }
        }
        Self(parts)
    }

    /// Whether it tells who sent a statement: before anything that whoever sends it chooses (`%a`, the name of the program).
    pub fn tells_user(&self) -> bool {
        let place = |field: char| self.0.iter().position(|it| *it == Part::Field(field));
        let chosen = place('a').unwrap_or(usize::MAX);
        [place('u'), place('p')].into_iter().flatten().any(|it| it < chosen)
    }

    /// What a line begins with, and the rest; none for a line that does not begin so.
    fn split<'a>(&self, line: &'a str) -> Option<(Vec<(char, &'a str)>, &'a str)> {
        let mut rest = line;
        let mut fields = Vec::new();
        for (at, part) in self.0.iter().enumerate() {
            match part {
                Part::Text(text) => {
                    // Blanks that pad are as good as one.
                    rest = rest
                        .strip_prefix(text.as_str())
                        .or_else(|| rest.trim_start().strip_prefix(text.trim_start()))?;
                }
                Part::Field(field) => {
                    let end = match self.0.get(at + 1) {
                        Some(Part::Text(text)) => rest.find(text.as_str())?,
                        _ => rest.find(' ').unwrap_or(rest.len()),
                    };
                    let (value, after) = rest.split_at(end);
                    // Times have blanks of their own: what follows decides.
                    fields.push((*field, value));
                    rest = after;
                }
            }
        }
        Some((fields, rest))
    }
}

/// Reads a log as it grows.
#[derive(Debug)]
pub struct LogReader {
    prefix: LogPrefix,
    /// What is put together, and whether its statement has begun.
    open: Option<(RefusedStatement, bool)>,
}

impl LogReader {
    /// A reader for lines that begin so.
    pub fn new(prefix: LogPrefix) -> Self {
        Self { prefix, open: None }
    }

    /// Takes whole lines; answers refusals that are complete.
    pub fn feed(&mut self, text: &str) -> Vec<RefusedStatement> {
        let mut found = Vec::new();
        for line in text.lines() {
            // Lines that go on begin with a tab.
            if let Some(more) = line.strip_prefix('\t') {
                if let Some((refused, true)) = &mut self.open {
                    refused.statement.push('\n');
                    refused.statement.push_str(more);
                    // Half a statement may mean something else.
                    if refused.statement.len() > STATEMENT_BYTES_MAX {
                        self.open = None;
                    }
                }
                continue;
            }
            // What does not begin as lines of this log do is none of the server's.
            let Some((fields, rest)) = self.prefix.split(line) else { continue };
            let pid = field(&fields, 'p').and_then(|it| it.parse().ok());
            let is_same = self.open.as_ref().is_some_and(|(it, _)| it.pid == pid);
            if let Some(statement) = rest.strip_prefix("STATEMENT:").filter(|_| is_same) {
                if let Some((refused, has_begun)) = &mut self.open {
                    refused.statement = statement.trim_start().to_string();
                    *has_begun = true;
                }
                continue;
            }
            let goes_on = ["DETAIL:", "HINT:", "CONTEXT:", "QUERY:", "LOCATION:"];
            if is_same && goes_on.iter().any(|it| rest.starts_with(it)) {
                continue;
            }
            found.extend(self.end());
            let error = rest.strip_prefix("ERROR:").map(str::trim_start);
            let is_refusal = |says: &&str| {
                field(&fields, 'e') == Some("42501") || says.starts_with("permission denied")
            };
            if let Some(says) = error.filter(is_refusal) {
                let owned = |name: char| field(&fields, name).map(str::to_string);
                let refused = RefusedStatement {
                    user: owned('u'),
                    database: owned('d'),
                    pid,
                    says: says.to_string(),
                    statement: String::new(),
                };
                self.open = Some((refused, false));
            }
        }
        found
    }

    /// What was put together, when nothing more comes.
    pub fn end(&mut self) -> Option<RefusedStatement> {
        self.open.take().map(|it| it.0)
    }
}

fn field<'a>(fields: &[(char, &'a str)], name: char) -> Option<&'a str> {
    fields.iter().find(|it| it.0 == name).map(|it| it.1).filter(|it| !it.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refusals_have_their_statement_and_their_user() {
        let log = "2026-11-27 12:00:00.123 UTC [77] web@shop ERROR:  permission denied for table payments\n\
            2026-11-27 12:00:00.123 UTC [77] web@shop STATEMENT:  SELECT card\n\
            \tFROM payments\n\
            2026-11-27 12:00:00.124 UTC [78] web@shop ERROR:  relation \"x\" does not exist\n\
            2026-11-27 12:00:00.124 UTC [78] web@shop STATEMENT:  SELECT 1 FROM x\n\
            2026-11-27 12:00:00.125 UTC [9] LOG:  checkpoint starting: time\n";
        let prefix = LogPrefix::parse("%m [%p] %q%u@%d ");
        assert!(prefix.tells_user());
        let mut reader = LogReader::new(prefix);
        let found = reader.feed(log);
        assert_eq!(
            found,
            [RefusedStatement {
                user: Some("web".into()),
                database: Some("shop".into()),
                pid: Some(77),
                says: "permission denied for table payments".into(),
                statement: "SELECT card\nFROM payments".into(),
            }]
        );
        assert_eq!(reader.end(), None);
    }

    #[test]
    fn the_default_of_the_server_tells_the_process() {
        let mut reader = LogReader::new(LogPrefix::parse("%m [%p] "));
        let log = "2026-11-27 12:00:00.123 UTC [77] ERROR:  permission denied for schema x\n\
            2026-11-27 12:00:00.123 UTC [77] STATEMENT:  SELECT 1\n";
        assert!(reader.feed(log).is_empty());
        let found = reader.end().unwrap();
        assert_eq!((found.pid, found.statement.as_str()), (Some(77), "SELECT 1"));
    }

    proptest! {
        #[test]
        fn any_log_is_read(prefix in "[%a-z\\[\\] @-]{0,12}", text in "(?s)([ -~]{0,20}(ERROR:  permission denied|STATEMENT:  |\n|\t|é)){0,12}") {
            let mut reader = LogReader::new(LogPrefix::parse(&prefix));
            let _ = reader.feed(&text);
            let _ = reader.end();
        }
    }
}
