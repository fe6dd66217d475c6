//! Credentials lying in files: place, class, who can read them, what they open; never the value.
//!
//! The door has replaced every secret by a mark that names its class; this table finds the marks.

use crate::reading::{files_in, shown, text};
use crate::writers::Writers;
use polder_host::{Host, Kind, Stat, redact};
use polder_model::facts::{Credential, CredentialClass, Facts, FileSecurity};
use polder_model::{Coverage, Table, printable_str};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Most files searched.
const FILES_MAX: usize = 2_000;

/// Most credentials reported of one file; a file full of secrets is one problem.
const ROWS_FILE_MAX: usize = 8;

/// Configuration that often holds passwords, besides what the walk finds by name.
const PLACES: [&str; 10] = [
    "/etc/mysql/debian.cnf",
    "/etc/redis/redis.conf",
    "/etc/postfix/sasl_passwd",
    "/etc/exim4/passwd.client",
    "/etc/ldap.conf",
    "/etc/fstab",
    "/etc/environment",
    "/root/.my.cnf",
    "/root/.pgpass",
    "/etc/msmtprc",
];

/// Folders of trees that ship sample keys and passwords.
const SAMPLES: [&str; 14] = [
    "test",
    "tests",
    "testdata",
    "testing",
    "examples",
    "example",
    "node_modules",
    "site-packages",
    "dist-packages",
    "fixtures",
    "registry",
    "doc",
    "certdata",
    "vendor",
];

/// Needs users and groups; `candidates` are the files that the walk kept by their name.
pub(crate) fn look(
    host: &dyn Host,
    facts: &Facts,
    candidates: &[(PathBuf, Stat)],
    walk: Coverage,
) -> Table<Credential> {
    let writers = Writers::new(host, facts);
    let mut files: BTreeMap<PathBuf, Stat> = candidates
        .iter()
        .filter(|(path, _)| !is_sample(path))
        .take(FILES_MAX)
        .map(|(path, stat)| (path.clone(), *stat))
        .collect();
    for place in PLACES {
        if let Ok(stat) = host.stat(place.as_ref()) {
            files.insert(place.into(), stat);
        }
    }
    let mut rows = Vec::new();
    let mut denied = 0;
    for (path, stat) in &files {
        match text(host, path) {
            Ok(text) => {
                let readers = writers.readers(path, stat);
                rows.extend(in_text(&text, path, stat, &readers));
            }
            Err(error) if error.is_denied() => denied += 1,
            Err(_) => {}
        }
    }
    rows.extend(agent_sockets(host, facts));
    rows.sort_by(|a, b| (&a.path, a.line, a.class).cmp(&(&b.path, b.line, b.class)));
    let coverage = match (denied, walk) {
        (0, walk) => walk,
        (count, _) => Coverage::needs_root(
            format!("{count} files that often hold credentials cannot be read"),
            "whether they hold credentials, and who else can read them",
        ),
    };
    Table::with(coverage, rows)
}

fn is_sample(path: &Path) -> bool {
    path.components().any(|part| {
        part.as_os_str()
            .to_str()
            .is_some_and(|it| SAMPLES.contains(&it) || it == ".cargo" || it == ".rustup")
    }) || path.starts_with("/usr/share")
}

/// Credentials in one file.
fn in_text(text: &str, path: &Path, stat: &Stat, readers: &[String]) -> Vec<Credential> {
    let row = |line: Option<usize>, class: CredentialClass, name: String, opens: Option<String>| {
        Credential {
            path: shown(path),
            line,
            class,
            security: FileSecurity { mode: stat.mode, uid: stat.uid, gid: stat.gid },
            readers: readers.to_vec(),
            opens,
            name,
        }
    };
    if path.file_name().and_then(|it| it.to_str()).is_some_and(|it| it.ends_with("_history")) {
        let count = text.matches("<secret:").count();
        let name = format!("{count} lines");
        return if count > 0 {
            vec![row(None, CredentialClass::History, name, None)]
        } else {
            Vec::new()
        };
    }
    let settings = settings_of(text);
    let opens = opens(&settings);
    let mut rows = Vec::new();
    let mut lines = text.lines().enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        if line.contains("-----BEGIN ") && line.contains("PRIVATE KEY-----") {
            let next = lines.peek().map_or("", |(_, line)| line);
            let class = if is_sealed(line, next) {
                CredentialClass::PrivateKeySealed
            } else {
                CredentialClass::PrivateKeyBare
            };
            rows.push(row(Some(index + 1), class, "private key".into(), None));
            // The rest of the key is no second credential.
            while lines.peek().is_some_and(|(_, line)| !line.starts_with("-----END")) {
                lines.next();
            }
            continue;
        }
        let trimmed = line.trim_start();
        if trimmed.starts_with(['#', ';']) || trimmed.starts_with("//") {
            continue;
        }
        let Some(class) = redact::class_in(line) else { continue };
        let class = match class {
            "database-password" => CredentialClass::DatabasePassword,
            "password" | "cookie" => CredentialClass::Password,
            "token" | "secret" => CredentialClass::Token,
            "private-key" => CredentialClass::PrivateKeyBare,
            _ => continue,
        };
        let opens = url_target(line).or_else(|| opens.clone());
        rows.push(row(Some(index + 1), class, name_before(line), opens));
        if rows.len() >= ROWS_FILE_MAX {
            break;
        }
    }
    rows
}

/// PEM keys say so in a header; OpenSSH's own form names the cipher in its first bytes.
fn is_sealed(begin: &str, next: &str) -> bool {
    // `none` after the magic and its length, in base64 at this position.
    const BARE: &str = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmU";
    begin.contains("ENCRYPTED")
        || next.contains("ENCRYPTED")
        || (next.starts_with("b3BlbnNzaC1rZXktdjEA") && !next.starts_with(BARE))
}

/// The name of the setting whose value was replaced.
fn name_before(line: &str) -> String {
    let before = line.split("<secret:").next().unwrap_or_default();
    let is_part = |it: char| it.is_alphanumeric() || matches!(it, '_' | '-' | '.');
    let word =
        before.split(|it: char| !is_part(it)).rfind(|it| !it.is_empty() && !it.starts_with('-'));
    printable_str(word.unwrap_or("a line"))
}

/// Settings by their name in lower case.
fn settings_of(text: &str) -> BTreeMap<String, String> {
    let mut settings = BTreeMap::new();
    for line in text.lines().take(5_000) {
        let words: Vec<&str> = line
            .split(|it: char| {
                it.is_whitespace()
                    || matches!(it, '=' | '\'' | '"' | ',' | '(' | ')' | ';' | '[' | ']' | '>')
            })
            .filter(|it| !it.is_empty())
            .collect();
        for pair in words.windows(2) {
            if let [name, value] = pair {
                let name = name.trim_end_matches(':').to_ascii_lowercase();
                if ["host", "user", "database", "name", "connection", "dbname", "login"]
                    .iter()
                    .any(|it| name.ends_with(it))
                {
                    settings.entry(name).or_insert_with(|| printable_str(value));
                }
            }
        }
    }
    settings
}

/// `user@host` of the database that the settings of one file name.
fn opens(settings: &BTreeMap<String, String>) -> Option<String> {
    let find = |ends: &[&str]| {
        settings
            .iter()
            .find(|(name, _)| ends.iter().any(|it| name.ends_with(it)))
            .map(|(_, value)| value)
    };
    let user = find(&["db_user", "db_username", "database_user", "username", "user", "login"])?;
    let host =
        find(&["db_host", "database_host", "hostname", "host"]).map_or("localhost", String::as_str);
    Some(format!("{user}@{host}"))
}

/// `scheme://user:...@host/...` on one line.
fn url_target(line: &str) -> Option<String> {
    let (before, after) = line.split_once(":<secret:")?;
    let (start, user) = before.rsplit_once("://")?;
    let scheme = start.rsplit(|it: char| !it.is_ascii_alphanumeric()).next()?;
    let host = after.split_once(">@")?.1;
    let host =
        host.split(|it: char| it.is_whitespace() || matches!(it, '/' | '"' | '\'')).next()?;
    Some(printable_str(&format!("{scheme} {user}@{host}")))
}

/// Sockets of `ssh-agent`: whoever can reach one signs with its keys.
fn agent_sockets(host: &dyn Host, facts: &Facts) -> Vec<Credential> {
    let mut rows = Vec::new();
    let entries = host.list("/tmp".as_ref()).unwrap_or_default();
    for entry in entries.iter().filter(|it| it.kind == Kind::Folder) {
        if !entry.name.to_str().is_some_and(|it| it.starts_with("ssh-")) {
            continue;
        }
        let folder = Path::new("/tmp").join(&entry.name);
        for path in files_in(host, &folder, |name| name.starts_with("agent.")).unwrap_or_default() {
            let Ok(stat) = host.stat_link(&path) else { continue };
            rows.push(Credential {
                path: shown(&path),
                line: None,
                class: CredentialClass::AgentSocket,
                security: FileSecurity { mode: stat.mode, uid: stat.uid, gid: stat.gid },
                readers: vec![facts.user_name(stat.uid)],
                opens: Some("whatever its keys open".into()),
                name: "ssh-agent".into(),
            });
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, content: &str, expected: &[(CredentialClass, &str, Option<&str>)]) {
        let bytes = redact::content(Path::new(path), content.as_bytes().to_vec());
        let text = String::from_utf8(bytes).unwrap();
        let stat = Stat {
            kind: Kind::File,
            mode: 0o644,
            uid: 0,
            gid: 0,
            bytes: 0,
            modified: 0,
            changed: 0,
            inode: 0,
        };
        let rows = in_text(&text, path.as_ref(), &stat, &[]);
        let found: Vec<_> =
            rows.iter().map(|it| (it.class, it.name.as_str(), it.opens.as_deref())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn credentials_are_named_and_placed() {
        check(
            "/srv/shop/.env",
            "APP=1\nDB_HOST=10.0.0.7\nDB_USERNAME=shop\nDB_PASSWORD=x1\n",
            &[(CredentialClass::DatabasePassword, "DB_PASSWORD", Some("shop@10.0.0.7"))],
        );
        check(
            "/srv/a/config.php",
            "<?php $dsn = 'pgsql://web:pw@db.internal/shop';",
            &[(CredentialClass::DatabasePassword, "web", Some("pgsql web@db.internal"))],
        );
        check(
            "/root/.ssh/id_rsa",
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nabc\n-----END RSA PRIVATE KEY-----\n",
            &[(CredentialClass::PrivateKeySealed, "private key", None)],
        );
        check(
            "/root/.ssh/id_ed25519",
            "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
            &[(CredentialClass::PrivateKeyBare, "private key", None)],
        );
    }
}
