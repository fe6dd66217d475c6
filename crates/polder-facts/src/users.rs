//! Users and groups, and whether a password stands before each account.

use crate::reading::{note, text};
use polder_host::Host;
use polder_model::facts::{Group, Password, User};
use polder_model::{Coverage, Problem, Table, printable_str};
use std::collections::BTreeMap;

/// Accounts of `/etc/passwd`, with the state of their passwords.
pub fn look(host: &dyn Host) -> Table<User> {
    let text_ = match text(host, "/etc/passwd") {
        Ok(text) => text,
        Err(error) => {
            return Table::with(crate::reading::not_looked(&error, "the users"), Vec::new());
        }
    };
    let (mut users, mut problems) = parse_passwd(&text_);
    let mut coverage = Coverage::Complete;
    match text(host, "/etc/shadow") {
        Ok(text) => {
            let (passwords, mut bad) = parse_shadow(&text);
            problems.append(&mut bad);
            for user in &mut users {
                if user.password == Password::Unknown {
                    let password = passwords.get(&user.name).cloned();
                    user.password = password.unwrap_or(Password::Locked);
                }
            }
        }
        Err(error) => {
            coverage = crate::reading::partial(&error, "whether each account has a password");
        }
    }
    if let Some(name) = remote_directory(host) {
        let because = format!("accounts also come from `{name}` by /etc/nsswitch.conf");
        coverage = Coverage::partial(because);
    }
    Table::with(coverage, users).problems(problems)
}

/// A source of accounts other than files.
fn remote_directory(host: &dyn Host) -> Option<String> {
    let text = text(host, "/etc/nsswitch.conf").ok()?;
    let line = text.lines().find_map(|line| line.trim().strip_prefix("passwd:"))?;
    line.split_ascii_whitespace()
        .find(|it| matches!(*it, "sss" | "ldap" | "winbind" | "nis"))
        .map(str::to_string)
}

/// Reads `name:password:uid:gid:comment:home:shell` (passwd(5)).
pub fn parse_passwd(text: &str) -> (Vec<User>, Vec<Problem>) {
    let mut users = Vec::new();
    let mut problems = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.is_empty() || line.starts_with(['#', '+', '-']) {
            continue;
        }
        let fields: Vec<&str> = line.split(':').collect();
        let parsed = match fields[..] {
            [name, password, uid, gid, _, home, shell] if !name.is_empty() => {
                uid.parse().ok().zip(gid.parse().ok()).map(|(uid, gid)| User {
                    name: printable_str(name),
                    uid,
                    gid,
                    home: printable_str(home),
                    shell: printable_str(if shell.is_empty() { "/bin/sh" } else { shell }),
                    password: match password {
                        "" => Password::Empty,
                        _ => Password::Unknown,
                    },
                    line: index + 1,
                })
            }
            _ => None,
        };
        match parsed {
            Some(user) => users.push(user),
            None => note(&mut problems, format!("/etc/passwd:{}", index + 1), "not an account"),
        }
    }
    (users, problems)
}

/// Reads the second field of `/etc/shadow`, whose hashes the door has replaced by their algorithm.
pub fn parse_shadow(text: &str) -> (BTreeMap<String, Password>, Vec<Problem>) {
    let mut passwords = BTreeMap::new();
    let mut problems = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
        let mut fields = line.split(':');
        let (Some(name), Some(field)) = (fields.next(), fields.next()) else {
            note(&mut problems, format!("/etc/shadow:{}", index + 1), "not an account");
            continue;
        };
        let password = match field {
            "" => Password::Empty,
            _ if field.starts_with(['!', '*']) || field == "x" => Password::Locked,
            _ => Password::Set { algorithm: printable_str(field.trim_matches(['<', '>'])) },
        };
        passwords.insert(printable_str(name), password);
    }
    (passwords, problems)
}

/// Groups of `/etc/group`.
pub fn look_groups(host: &dyn Host) -> Table<Group> {
    match text(host, "/etc/group") {
        Ok(text) => {
            let (rows, problems) = parse_group(&text);
            Table::complete(rows).problems(problems)
        }
        Err(error) => Table::with(crate::reading::not_looked(&error, "the groups"), Vec::new()),
    }
}

/// Reads `name:password:gid:members` (group(5)).
pub fn parse_group(text: &str) -> (Vec<Group>, Vec<Problem>) {
    let mut groups = Vec::new();
    let mut problems = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.is_empty() || line.starts_with(['#', '+', '-']) {
            continue;
        }
        let fields: Vec<&str> = line.split(':').collect();
        match fields[..] {
            [name, _, gid, members] if gid.parse::<u32>().is_ok() => groups.push(Group {
                name: printable_str(name),
                gid: gid.parse().unwrap_or(u32::MAX),
                members: members
                    .split(',')
                    .filter(|it| !it.is_empty())
                    .map(printable_str)
                    .collect(),
            }),
            _ => note(&mut problems, format!("/etc/group:{}", index + 1), "not a group"),
        }
    }
    (groups, problems)
}

#[cfg(test)]
mod tests {
    use super::*;
    use polder_host::RecordedHost;

    #[test]
    fn an_empty_password_is_told_from_a_locked_one() {
        let host = RecordedHost::of_files([
            ("/etc/passwd", "root:x:0:0::/root:/bin/bash\nopen:x:1000:1000::/home/open:\nbad\n"),
            ("/etc/shadow", "root:$6$salt$hash:1::\nopen::1::\n"),
        ]);
        let table = look(&host);
        assert_eq!(table.rows[0].password, Password::Set { algorithm: "sha512".into() });
        assert_eq!(table.rows[1].password, Password::Empty);
        assert_eq!(table.rows[1].shell, "/bin/sh");
        assert_eq!(table.problems.len(), 1);
    }
}
