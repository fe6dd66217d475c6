//! Jobs of cron. Timers of systemd are units.

use crate::reading::{files_in, note, shown, text};
use polder_host::Host;
use polder_model::facts::CronEntry;
use polder_model::{Coverage, Problem, Table, printable_str};

/// System crontabs, those of users, and the folders of scripts.
pub fn look(host: &dyn Host) -> Table<CronEntry> {
    let mut rows = Vec::new();
    let mut problems = Vec::new();
    let mut coverage = Coverage::Complete;
    // cron passes over names with a dot (cron(8), Debian).
    let mut files = vec!["/etc/crontab".into()];
    files.extend(files_in(host, "/etc/cron.d", |name| !name.contains('.')).unwrap_or_default());
    for path in files {
        match text(host, &path) {
            Ok(text) => add(parse_crontab(&text, &shown(&path), None), &mut rows, &mut problems),
            Err(error) if error.is_not_found() => {}
            Err(error) => coverage = crate::reading::partial(&error, "that crontab"),
        }
    }
    for folder in ["/var/spool/cron/crontabs", "/var/spool/cron"] {
        match files_in(host, folder, |_| true) {
            Ok(files) => {
                for path in files {
                    let user = path.file_name().and_then(|it| it.to_str()).map(printable_str);
                    match text(host, &path) {
                        Ok(text) => {
                            let file = shown(&path);
                            let parsed = parse_crontab(&text, &file, user.as_deref());
                            add(parsed, &mut rows, &mut problems);
                        }
                        Err(error) => coverage = crate::reading::partial(&error, "that crontab"),
                    }
                }
            }
            Err(error) => coverage = crate::reading::partial(&error, "the crontabs of users"),
        }
    }
    for period in ["hourly", "daily", "weekly", "monthly"] {
        let folder = format!("/etc/cron.{period}");
        let scripts = files_in(host, &folder, |name| !name.contains('.') && !name.ends_with('~'));
        for path in scripts.unwrap_or_default() {
            let command = shown(&path);
            rows.push(CronEntry {
                file: command.clone(),
                line: 0,
                schedule: format!("@{period}"),
                user: "root".into(),
                command,
            });
        }
    }
    Table::with(coverage, rows).problems(problems)
}

fn add(
    parsed: (Vec<CronEntry>, Vec<Problem>),
    rows: &mut Vec<CronEntry>,
    problems: &mut Vec<Problem>,
) {
    rows.extend(parsed.0);
    problems.extend(parsed.1);
}

/// Reads a crontab (crontab(5)). `user` is given for those of users, which have no such field.
pub fn parse_crontab(text: &str, file: &str, user: Option<&str>) -> (Vec<CronEntry>, Vec<Problem>) {
    let mut rows = Vec::new();
    let mut problems = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let name = line.split(['=', ' ', '\t']).next().unwrap_or_default();
        let is_setting = line.get(name.len()..).is_some_and(|it| it.trim_start().starts_with('='))
            && name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_');
        if line.is_empty() || line.starts_with('#') || is_setting {
            continue;
        }
        let fields = if line.starts_with('@') { 1 } else { 5 };
        let Some((schedule, rest)) = split_words(line, fields) else {
            note(&mut problems, format!("{file}:{}", index + 1), "not a job");
            continue;
        };
        let parsed = match user {
            Some(user) => Some((user, rest)),
            None => split_words(rest, 1),
        };
        let Some((user, command)) = parsed.filter(|(_, command)| !command.is_empty()) else {
            note(&mut problems, format!("{file}:{}", index + 1), "a job without a command");
            continue;
        };
        rows.push(CronEntry {
            file: printable_str(file),
            line: index + 1,
            schedule: printable_str(schedule),
            user: printable_str(user),
            command: printable_str(command),
        });
    }
    (rows, problems)
}

/// The first `count` words, and what follows them.
fn split_words(text: &str, count: usize) -> Option<(&str, &str)> {
    let mut rest = text;
    for _ in 0..count {
        let end = rest.find([' ', '\t'])?;
        rest = rest.get(end..)?.trim_start();
    }
    let head = text.get(..text.len() - rest.len())?.trim_end();
    Some((head, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_have_a_user_where_the_file_has_one() {
        let (rows, problems) = parse_crontab(
            "PATH=/bin\n17 * * * * root cd / && run-parts x\n@reboot www-data /srv/a\nbroken\n",
            "c",
            None,
        );
        assert_eq!(rows[0].user, "root");
        assert_eq!(rows[0].command, "cd / && run-parts x");
        assert_eq!(rows[1].schedule, "@reboot");
        assert_eq!(problems.len(), 1);
        let (rows, _) = parse_crontab("*/5 * * * * /bin/x y\n", "c", Some("ada"));
        assert_eq!((rows[0].user.as_str(), rows[0].command.as_str()), ("ada", "/bin/x y"));
    }
}
