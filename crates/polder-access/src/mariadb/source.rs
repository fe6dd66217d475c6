//! Where statements of an account are seen: what the server remembers of connections, its tables of logs, and files.

use super::learn::name_and_host;
use super::rights::{Rights, accounts, fits_host};
use super::session::{Session, count_of, text_of};
use super::statement::{name_of, parse_statements};
use crate::sql::{Dialect, parse_tokens, shape};
use crate::{AccessError, Source, Sources};
use std::collections::HashMap;

/// Most kinds of statements that are looked at, the most frequent first.
const STATEMENTS_MAX: usize = 200_000;

/// A statement that was seen.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub(super) text: String,
    pub(super) database: Option<String>,
    pub(super) calls: u64,
    pub(super) source: Source,
    /// Whether its end is missing.
    pub(super) is_cut: bool,
}

/// Kinds of statements of the account; `seen_in` gets where they come from.
pub(super) fn texts(
    session: &mut Session,
    rights: &Rights,
    sources: &Sources,
    dialect: Dialect,
    seen_in: &mut Vec<String>,
) -> Result<(Vec<Text>, u64), AccessError> {
    let mut found = Found::default();
    let mut untold = 0;
    if !sources.only_text {
        let whose = Whose::of(session, rights)?;
        if sources.text.is_empty() && sources.slow_log.is_empty() {
            untold = without_text(session, &whose)?;
        }
        let mut is_any = remembered(session, &whose, sources.takes_ended, &mut found, seen_in)?;
        is_any |= logged(session, &whose, &mut found, seen_in)?;
        for (user, host, database, text) in parse_slow_log(&sources.slow_log) {
            if whose.is(&user, &host) {
                found.add(text, database, 1, Source::Run, false);
            }
        }
        if !sources.slow_log.is_empty() {
            seen_in.push("the slow log that was named".into());
        }
        if !is_any && sources.text.is_empty() && sources.slow_log.is_empty() {
            return Err(AccessError::NoStatements {
                because: "it keeps none of the statements of connections (`performance_schema`, consumers \
                          `events_statements_current` and `events_statements_history_long`), and writes no slow log into a table"
                    .into(),
            });
        }
    }
    let mut database = rights.database.clone();
    for text in parse_statements(&sources.text, dialect) {
        let tokens = parse_tokens(&text, dialect);
        if tokens.first().is_some_and(|it| it.is("use")) {
            database = tokens.get(1).and_then(name_of).or(database);
        }
        found.add(text, database.clone(), 0, Source::Static, false);
    }
    let mut all: Vec<Text> = found.by_shape.into_values().collect();
    all.sort_by(|a, b| (b.calls, &a.text).cmp(&(a.calls, &b.text)));
    all.truncate(STATEMENTS_MAX);
    Ok((all, untold))
}

#[derive(Default)]
struct Found {
    by_shape: HashMap<(String, Option<String>), Text>,
}

impl Found {
    fn add(
        &mut self,
        text: String,
        database: Option<String>,
        calls: u64,
        source: Source,
        is_cut: bool,
    ) {
        let key = (shape(&text, Dialect::MARIADB), database.clone());
        if key.0.is_empty() {
            return;
        }
        let slot = self.by_shape.entry(key).or_insert_with(|| Text {
            text,
            database,
            calls: 0,
            source,
            is_cut,
        });
        slot.calls = slot.calls.saturating_add(calls);
        slot.source = slot.source.min(source);
        slot.is_cut &= is_cut;
    }
}

/// Which connections are those of the account.
pub(super) struct Whose {
    user: String,
    host: String,
    /// Hosts of other accounts of the same name that are more exact.
    others: Vec<String>,
}

impl Whose {
    pub(super) fn of(session: &mut Session, rights: &Rights) -> Result<Self, AccessError> {
        let (user, host) = name_and_host(&rights.account);
        Self::among(session, user, host)
    }

    /// The same by its name alone.
    pub(super) fn named(session: &mut Session, account: &str) -> Result<Self, AccessError> {
        let (user, host) = account.rsplit_once('@').unwrap_or((account, "%"));
        Self::among(session, user, host)
    }

    fn among(session: &mut Session, user: &str, host: &str) -> Result<Self, AccessError> {
        let others = accounts(session)?
            .into_iter()
            .filter(|(other, at)| other == user && at != host && is_more_exact(at, host))
            .map(|it| it.1)
            .collect();
        Ok(Self { user: user.into(), host: host.into(), others })
    }

    pub(super) fn is(&self, user: &str, host: &str) -> bool {
        // The client's host may have its port behind it.
        let bare = host
            .rsplit_once(':')
            .filter(|(_, port)| port.parse::<u16>().is_ok())
            .map_or(host, |it| it.0);
        user == self.user
            && fits_host(&self.host, bare)
            && !self.others.iter().any(|it| fits_host(it, bare))
    }
}

/// Of two patterns, whether the first is looked at first: the one that has more before its first sign for others.
fn is_more_exact(a: &str, b: &str) -> bool {
    let exact = |it: &str| it.find(['%', '_']).unwrap_or(usize::MAX);
    exact(a) > exact(b)
}

/// What the server remembers of connections that are open; of closed ones it does not say whose they were.
fn remembered(
    session: &mut Session,
    whose: &Whose,
    takes_ended: bool,
    found: &mut Found,
    seen_in: &mut Vec<String>,
) -> Result<bool, AccessError> {
    // Without the first, the others stay empty (performance schema, filtering by consumer).
    let consumers = "SELECT NAME FROM performance_schema.setup_consumers WHERE ENABLED = 'YES' AND NAME LIKE 'events_statements%'";
    let on: Vec<String> = match session.rows(consumers, &[], "what it remembers of statements") {
        Ok(rows) => rows.iter().filter_map(|row| text_of(row, 0)).collect(),
        Err(AccessError::Denied { .. } | AccessError::Query { .. }) => return Ok(false),
        Err(error) => return Err(error),
    };
    let is_on = |name: &str| on.iter().any(|it| it == name);
    // The long one holds what the other holds as well.
    let tables = ["events_statements_history_long", "events_statements_history"];
    let table = tables.into_iter().find(|it| is_on(it) && is_on("events_statements_current"));
    let Some(table) = table else { return Ok(false) };
    let length = session.text("SELECT @@performance_schema_max_sql_text_length", "settings")?;
    let length: usize = length.and_then(|it| it.parse().ok()).unwrap_or(1024);
    let mut ended = 0u64;
    let sql = format!(
        "SELECT t.PROCESSLIST_USER, t.PROCESSLIST_HOST, e.CURRENT_SCHEMA, e.SQL_TEXT, COUNT(*) \
             FROM performance_schema.{table} e LEFT JOIN performance_schema.threads t USING (THREAD_ID) \
             WHERE e.SQL_TEXT IS NOT NULL AND e.NESTING_EVENT_LEVEL = 0 AND e.MYSQL_ERRNO NOT IN (1044, 1142, 1143, 1227, 1370, 1064, 1146) GROUP BY 1, 2, 3, 4"
    );
    for row in session.rows(&sql, &[], "statements")? {
        let (user, host) = (text_of(&row, 0), text_of(&row, 1));
        let (Some(text), calls) = (text_of(&row, 3), count_of(&row, 4).unwrap_or(1)) else {
            continue;
        };
        match user {
            // Whoever asks in no database is no application.
            None if text_of(&row, 2).is_none() => {}
            None if takes_ended => {
                let is_cut = text.len() >= length;
                found.add(text, text_of(&row, 2), calls, Source::Run, is_cut);
            }
            None => ended += calls,
            Some(user) if whose.is(&user, host.as_deref().unwrap_or("localhost")) => {
                let is_cut = text.len() >= length;
                found.add(text, text_of(&row, 2), calls, Source::Run, is_cut);
            }
            Some(_) => {}
        }
    }
    seen_in.push(format!("performance_schema.{table}"));
    if ended > 0 {
        seen_in.push(format!(
            "{ended} statements of connections that ended are left out, since the server does not say whose they were: \
             `--ended` takes them as this account's"
        ));
    }
    Ok(true)
}

/// How often prepared statements of the account ran of which the server does not keep the text.
fn without_text(session: &mut Session, whose: &Whose) -> Result<u64, AccessError> {
    let sql = "SELECT t.PROCESSLIST_USER, t.PROCESSLIST_HOST, COUNT(*) \
        FROM performance_schema.events_statements_history_long e JOIN performance_schema.threads t USING (THREAD_ID) \
        WHERE e.SQL_TEXT IS NULL AND e.EVENT_NAME IN ('statement/com/Execute', 'statement/com/Bulk_execute') GROUP BY 1, 2";
    let rows = match session.rows(sql, &[], "prepared statements") {
        Ok(rows) => rows,
        Err(AccessError::Denied { .. } | AccessError::Query { .. }) => return Ok(0),
        Err(error) => return Err(error),
    };
    let own = rows.iter().filter(|row| {
        let host = text_of(row, 1).unwrap_or_else(|| "localhost".into());
        text_of(row, 0).is_some_and(|user| whose.is(&user, &host))
    });
    Ok(own.filter_map(|row| count_of(row, 2)).sum())
}

/// Logs that are written into tables: the slow one, and the general one if somebody switched it on.
fn logged(
    session: &mut Session,
    whose: &Whose,
    found: &mut Found,
    seen_in: &mut Vec<String>,
) -> Result<bool, AccessError> {
    let setting = session.text(
        "SELECT CONCAT(@@log_output, ' slow=', @@slow_query_log, ' general=', @@general_log)",
        "settings",
    )?;
    let setting = setting.unwrap_or_default();
    let is_table = setting.contains("TABLE");
    let mut is_any = false;
    for (log, is_on, sql) in [
        (
            "slow_log",
            "slow=1",
            "SELECT user_host, db, sql_text, COUNT(*) FROM mysql.slow_log GROUP BY 1, 2, 3",
        ),
        (
            "general_log",
            "general=1",
            "SELECT user_host, NULL, argument, COUNT(*) FROM mysql.general_log WHERE command_type IN ('Query', 'Execute') GROUP BY 1, 2, 3",
        ),
    ] {
        if !is_table || !setting.contains(is_on) {
            continue;
        }
        let rows = match session.rows(sql, &[], "logs") {
            Ok(rows) => rows,
            Err(AccessError::Denied { .. }) => continue,
            Err(error) => return Err(error),
        };
        is_any = true;
        seen_in.push(format!("mysql.{log}"));
        for row in rows {
            let Some((user, host)) = text_of(&row, 0).as_deref().and_then(parse_user_host) else {
                continue;
            };
            if let Some(text) = text_of(&row, 2).filter(|_| whose.is(&user, &host)) {
                let database = text_of(&row, 1).filter(|it| !it.is_empty());
                found.add(text, database, count_of(&row, 3).unwrap_or(1), Source::Run, false);
            }
        }
    }
    Ok(is_any)
}

/// `shop_web[shop_web] @ localhost [127.0.0.1]`.
fn parse_user_host(text: &str) -> Option<(String, String)> {
    let (user, rest) = text.split_once('[')?;
    let (_, rest) = rest.split_once("] @ ")?;
    let (name, address) = rest.split_once('[')?;
    let name = name.trim();
    let host = if name.is_empty() { address.trim_end_matches(']') } else { name };
    Some((user.to_string(), host.to_string()))
}

/// Statements of a slow query log: user, host, database, text (Slow Query Log Overview in the manual of MariaDB).
fn parse_slow_log(text: &str) -> Vec<(String, String, Option<String>, String)> {
    let mut found = Vec::new();
    let mut whose: Option<(String, String)> = None;
    let mut database: Option<String> = None;
    let mut statement = String::new();
    let mut end =
        |whose: &Option<(String, String)>, database: &Option<String>, statement: &mut String| {
            let text = std::mem::take(statement);
            if let Some((user, host)) = whose.clone().filter(|_| !text.trim().is_empty()) {
                found.push((
                    user,
                    host,
                    database.clone(),
                    text.trim().trim_end_matches(';').to_string(),
                ));
            }
        };
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# User@Host: ") {
            end(&whose, &database, &mut statement);
            whose = parse_user_host(rest);
            database = None;
        } else if let Some(rest) = line.strip_prefix("# Thread_id: ") {
            // # Thread_id: 8  Schema: shop  QC_hit: No
            let schema = rest.split_once("Schema: ").and_then(|it| it.1.split("  ").next());
            database = schema.map(|it| it.trim().to_string()).filter(|it| !it.is_empty());
        } else if line.starts_with("# ")
            || (line.starts_with("SET timestamp=") && statement.is_empty())
        {
            // What else is measured.
        } else if let Some(name) = line.strip_prefix("use ").filter(|_| statement.is_empty()) {
            database = Some(name.trim_end_matches(';').trim_matches('`').to_string());
        } else if whose.is_some() {
            statement.push_str(line);
            statement.push('\n');
        }
    }
    end(&whose, &database, &mut statement);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_told_apart() {
        let whose = Whose { user: "web".into(), host: "%".into(), others: vec!["10.0.%".into()] };
        assert!(whose.is("web", "192.0.2.1:4000") && whose.is("web", "localhost"));
        assert!(!whose.is("web", "10.0.0.1") && !whose.is("other", "192.0.2.1"));
        assert!(is_more_exact("10.0.%", "%") && !is_more_exact("%", "localhost"));
        let parsed = parse_user_host("web[web] @ localhost []");
        assert_eq!(parsed, Some(("web".into(), "localhost".into())));
        assert_eq!(parse_user_host("web[web] @  [10.1.1.1]").unwrap().1, "10.1.1.1");
    }

    #[test]
    fn slow_logs_are_read() {
        let text = "/usr/sbin/mariadbd, Version: 10.11.19-MariaDB. started with:\nTime\t\tId Command\tArgument\n\
            # Time: 261127 16:10:11\n# User@Host: web[web] @ localhost []\n\
            # Thread_id: 31  Schema: shop  QC_hit: No\n# Query_time: 0.000113  Lock_time: 0.0\n\
            use shop;\nSET timestamp=1795796001;\nselect a,\n  b from t where c = 'x';\n\
            # User@Host: root[root] @  [10.0.0.7]\n# Thread_id: 32  Schema:   QC_hit: No\nSET timestamp=1;\nselect 1;\n";
        let found = parse_slow_log(text);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].2.as_deref(), Some("shop"));
        assert_eq!(found[0].3, "select a,\n  b from t where c = 'x'");
        assert_eq!(
            (found[1].0.as_str(), found[1].1.as_str(), &found[1].2),
            ("root", "10.0.0.7", &None)
        );
    }
}
