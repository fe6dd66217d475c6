//! Replaces secrets by their class before anything else sees them.
//!
//! A value becomes `<secret:CLASS>`; everything around it stays, so that what was found can still
//! be placed. Tables look for these marks and never for the secrets themselves. When in doubt a
//! value is replaced: a setting that is hidden wrongly costs a fact, one that is shown costs trust.

use sha2::{Digest, Sha256};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Longest file whose content is searched; configuration is far smaller.
const SEARCHED_BYTES_MAX: usize = 8 << 20;

/// Longest class within a mark.
const MARK_BYTES_MAX: usize = 40;

/// Words that make the name of a setting that of a secret.
const SECRET_WORDS: [&str; 22] = [
    "password",
    "passwd",
    "passphrase",
    "passwort",
    "secret",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "access_key",
    "accesskey",
    "access-key",
    "private_key",
    "privatekey",
    "auth_key",
    "authkey",
    "requirepass",
    "masterauth",
    "default_pass",
    "credential",
    "encryption_key",
    "cookie_validation",
];

/// Short names that are secrets only as a whole word.
const SECRET_WHOLE: [&str; 6] = ["pass", "pwd", "pw", "psk", "dsn_pass", "salt"];

/// Ends of names that speak of secrets without holding one.
const HARMLESS_ENDS: [&str; 24] = [
    "file",
    "path",
    "dir",
    "encryption",
    "algorithm",
    "authentication",
    "policy",
    "length",
    "age",
    "type",
    "required",
    "enabled",
    "expire",
    "expiry",
    "timeout",
    "prompt",
    "command",
    "url",
    "uri",
    "name",
    "passwords",
    "retries",
    "max",
    "min",
];

/// What a path says about its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    /// Holds no secrets and is read often or large.
    Plain,
    /// `/etc/shadow` and its like.
    Shadow,
    /// Arguments of a process, ended by zero bytes.
    CommandLine,
    /// Keys that may log in.
    AuthorizedKeys,
    /// What somebody typed.
    History,
    /// `name:hash` lines.
    PasswordFile,
    /// The whole file is one secret.
    Whole,
    /// `NAME=value` lines of a program, most of which are there because they are secret.
    Environment,
    /// Settings.
    Settings,
}

fn content_of(path: &Path) -> Content {
    let bytes = path.as_os_str().as_bytes();
    let name = path.file_name().map_or(&b""[..], OsStrExt::as_bytes);
    match name {
        b"shadow" | b"gshadow" | b"shadow-" | b"gshadow-" => return Content::Shadow,
        b"cmdline" if bytes.starts_with(b"/proc/") => return Content::CommandLine,
        b"authorized_keys" | b"authorized_keys2" => return Content::AuthorizedKeys,
        b".erlang.cookie" | b"credentials.tdb" => return Content::Whole,
        b".pgpass" | b".htpasswd" | b"pwfile" => return Content::PasswordFile,
        _ if name.ends_with(b"_history") => return Content::History,
        _ if name.starts_with(b".env") || name.ends_with(b".env") => return Content::Environment,
        _ => {}
    }
    const PLAIN: [&[u8]; 13] = [
        b"/proc/",
        b"/sys/",
        b"/var/lib/dpkg/",
        b"/var/lib/apt/",
        b"/lib/apk/db/",
        b"/var/log/",
        b"/etc/passwd",
        b"/etc/group",
        // Their words `PASSWD`, `passwd` and `password` are grammar; they hold no secrets.
        b"/etc/sudoers",
        b"/etc/doas.conf",
        b"/etc/nsswitch.conf",
        b"/etc/pam.d/",
        b"/etc/os-release",
    ];
    if PLAIN.iter().any(|it| bytes.starts_with(it)) { Content::Plain } else { Content::Settings }
}

/// The content of `path` without its secrets.
pub fn content(path: &Path, bytes: Vec<u8>) -> Vec<u8> {
    match content_of(path) {
        Content::Plain => bytes,
        Content::Whole => b"<secret:cookie>\n".to_vec(),
        Content::CommandLine => command_line(&bytes),
        _ if bytes.len() > SEARCHED_BYTES_MAX => b"<secret:unsearched>\n".to_vec(),
        Content::Shadow => each_line(&bytes, |line, _| shadow_line(line)),
        Content::AuthorizedKeys => each_line(&bytes, |line, _| authorized_key_line(line)),
        Content::History => history(&bytes),
        Content::PasswordFile => each_line(&bytes, |line, _| password_file_line(line)),
        Content::Environment => crate::environment::environment(&bytes),
        Content::Settings => settings(&bytes),
    }
}

/// A list of libraries without the passwords in its addresses. Names of libraries may speak of secrets;
/// nothing else in such a list does.
pub(crate) fn library_list(bytes: Vec<u8>) -> Vec<u8> {
    match memchr::memmem::find(&bytes, b"://") {
        Some(_) => each_line(&bytes, |line, _| hide_url_passwords(line)),
        None => bytes,
    }
}

pub(crate) fn each_line(bytes: &[u8], mut change: impl FnMut(&str, usize) -> String) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let (line, end) = match line.strip_suffix(b"\n") {
            Some(line) => (line, &b"\n"[..]),
            None => (line, &b""[..]),
        };
        match std::str::from_utf8(line) {
            Ok(text) => out.extend_from_slice(change(text, index).as_bytes()),
            // Latin-1 comments and the like: judged by what is readable of it.
            Err(_) => {
                let text = String::from_utf8_lossy(line);
                let changed = change(&text, index);
                out.extend_from_slice(if changed == text { line } else { changed.as_bytes() });
            }
        }
        out.extend_from_slice(end);
    }
    out
}

/// `name:hash:...` with the hash replaced by its algorithm (crypt(5)).
fn shadow_line(line: &str) -> String {
    let mut fields: Vec<&str> = line.split(':').collect();
    let Some(field) = fields.get_mut(1) else {
        return if line.trim().is_empty() { line.into() } else { "<secret:line>".into() };
    };
    let locked = field.starts_with('!');
    let bare = field.trim_start_matches('!');
    let class = match bare {
        "" | "*" | "x" => bare.to_string(),
        _ => format!("<{}>", hash_algorithm(bare)),
    };
    let shown = if locked { format!("!{class}") } else { class };
    *field = &shown;
    fields.join(":")
}

fn hash_algorithm(hash: &str) -> &'static str {
    match hash.split('$').nth(1) {
        Some("y") => "yescrypt",
        Some("gy") => "gost-yescrypt",
        Some("7") => "scrypt",
        Some("6") => "sha512",
        Some("5") => "sha256",
        Some("2a" | "2b" | "2y" | "2x") => "bcrypt",
        Some("1") => "md5",
        Some(_) => "hash",
        None => "des",
    }
}

/// Key material and comment become short digests, which tell keys apart and open nothing.
fn authorized_key_line(line: &str) -> String {
    let trimmed = line.trim();
    if trimmed.is_empty() || trimmed.starts_with('#') {
        return if trimmed.is_empty() { String::new() } else { "#".into() };
    }
    // The key follows its type; options before it may hold quoted blanks.
    let Some(at) = key_type_at(trimmed) else { return "<secret:line>".into() };
    let (options, rest) = trimmed.split_at(at);
    let mut words = rest.splitn(3, ' ');
    let kind = words.next().unwrap_or_default();
    let key = words.next().unwrap_or_default();
    let comment = words.next().unwrap_or_default().trim();
    format!("{}{kind} {} {}", quoted_secrets(options), digest(key), digest(comment))
}

/// `environment="TOKEN=..."` and the like in options.
fn quoted_secrets(options: &str) -> String {
    setting_line(options)
}

fn key_type_at(line: &str) -> Option<usize> {
    let mut quoted = false;
    let mut start = 0;
    for (at, character) in line.char_indices() {
        match character {
            '"' => quoted = !quoted,
            ' ' | '\t' if !quoted => start = at + 1,
            _ => continue,
        }
        let rest = line.get(start..).unwrap_or_default();
        if is_key_type(rest) {
            return Some(start);
        }
    }
    is_key_type(line).then_some(0)
}

fn is_key_type(text: &str) -> bool {
    ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"].iter().any(|it| text.starts_with(it))
}

/// First 16 hexadecimal digits of SHA-256.
fn digest(text: &str) -> String {
    if text.is_empty() {
        return "-".into();
    }
    Sha256::digest(text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Only how many lines there are, and which of them hold a secret of which class.
fn history(bytes: &[u8]) -> Vec<u8> {
    each_line(bytes, |line, _| {
        let hidden = setting_line(line);
        // `mysql -psecret` and `sshpass -p secret` name no setting.
        let typed = line.contains("sshpass -p")
            || line.split(' ').any(|word| {
                word.len() > 2 && word.starts_with("-p") && line.trim_start().starts_with("mysql")
            });
        match class_in(&hidden) {
            Some(class) => format!("<secret:{class}>"),
            None if typed => "<secret:password>".into(),
            None => String::new(),
        }
    })
}

/// The class of the first mark in a text.
pub fn class_in(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("<secret:")?;
    rest.split_once('>').map(|(class, _)| class)
}

/// Replaces everything after the last colon, or after the first one of `name:hash`.
fn password_file_line(line: &str) -> String {
    if line.trim_start().starts_with('#') || line.trim().is_empty() {
        return String::new();
    }
    match line.rsplit_once(':') {
        Some((left, secret)) if !secret.is_empty() => format!("{left}:<secret:password>"),
        Some((left, _)) => format!("{left}:"),
        None => "<secret:line>".into(),
    }
}

fn command_line(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut hide_next = false;
    let mut first = true;
    for argument in bytes.split_inclusive(|byte| *byte == 0) {
        let (argument, end) = match argument.strip_suffix(b"\0") {
            Some(argument) => (argument, &b"\0"[..]),
            None => (argument, &b""[..]),
        };
        let text = String::from_utf8_lossy(argument);
        let bare = text.trim_start_matches('-');
        let shown = if hide_next && !text.starts_with('-') {
            "<secret:password>".to_string()
        } else {
            setting_line(&text)
        };
        hide_next = !first && text.starts_with('-') && !text.contains('=') && is_secret_name(bare)
            || text == "-setcookie";
        first = false;
        if shown == text {
            out.extend_from_slice(argument);
        } else {
            out.extend_from_slice(shown.as_bytes());
        }
        out.extend_from_slice(end);
    }
    out
}

fn settings(bytes: &[u8]) -> Vec<u8> {
    let mut key = KeyBlock::Outside;
    each_line(bytes, |line, _| {
        if let Some(shown) = key.line(line) {
            return shown;
        }
        setting_line(line)
    })
}

/// Where in a PEM block a line stands.
pub(crate) enum KeyBlock {
    Outside,
    First,
    Inside,
}

impl KeyBlock {
    /// What to show of a line of a private key; none when it belongs to no key.
    pub(crate) fn line(&mut self, line: &str) -> Option<String> {
        let trimmed = line.trim();
        match self {
            Self::Outside if trimmed.contains("-----BEGIN ") && trimmed.contains("PRIVATE KEY") => {
                *self = Self::First;
                // A whole key on one line, as in an environment file.
                if trimmed.contains("-----END ") {
                    *self = Self::Outside;
                    return Some("<secret:private-key>".into());
                }
                let at = trimmed.find("-----BEGIN ").unwrap_or(0);
                let begin = trimmed.get(at..).unwrap_or_default();
                // Nothing but the label, whatever stands after it.
                let label = begin.trim_start_matches("-----BEGIN ");
                let label = label.split("-----").next().unwrap_or_default();
                Some(format!("-----BEGIN {label}-----"))
            }
            Self::Outside => None,
            _ if trimmed.starts_with("-----END ") => {
                *self = Self::Outside;
                Some("-----END PRIVATE KEY-----".into())
            }
            Self::First
                if trimmed.starts_with("Proc-Type:") || trimmed.starts_with("DEK-Info:") =>
            {
                Some(trimmed.split(',').take(2).collect::<Vec<_>>().join(","))
            }
            Self::First => {
                *self = Self::Inside;
                // `openssh-key-v1`, zero, length and the first letters of the cipher's name
                // (PROTOCOL.key of OpenSSH): 24 bytes that say whether there is a passphrase.
                let head = trimmed.get(..32).filter(|it| it.starts_with("b3BlbnNzaC1rZXktdjEA"));
                Some(format!("{}<secret:private-key>", head.unwrap_or_default()))
            }
            Self::Inside => Some(String::new()),
        }
    }
}

/// A line of settings without its secrets.
pub(crate) fn setting_line(line: &str) -> String {
    let mut shown = hide_tokens(line);
    shown = hide_url_passwords(&shown);
    hide_values(&shown)
}

/// Tokens that show by themselves what they are.
fn hide_tokens(line: &str) -> String {
    const PREFIXES: [(&str, usize); 14] = [
        ("AKIA", 16),
        ("ASIA", 16),
        ("ghp_", 30),
        ("gho_", 30),
        ("ghs_", 30),
        ("github_pat_", 30),
        ("glpat-", 18),
        ("xoxb-", 20),
        ("xoxp-", 20),
        ("sk_live_", 16),
        ("rk_live_", 16),
        ("npm_", 30),
        ("pypi-", 40),
        ("AIza", 30),
    ];
    let mut shown = line.to_string();
    for (prefix, length_min) in PREFIXES {
        let mut from = 0;
        while let Some(at) =
            shown.get(from..).and_then(|rest| rest.find(prefix)).map(|at| at + from)
        {
            let after = shown.get(at + prefix.len()..).unwrap_or_default();
            let length = after
                .find(|it: char| !(it.is_ascii_alphanumeric() || it == '_' || it == '-'))
                .unwrap_or(after.len());
            let end = at + prefix.len() + length;
            if length >= length_min {
                shown.replace_range(at..end, "<secret:token>");
                from = at + "<secret:token>".len();
            } else {
                from = at + prefix.len();
            }
        }
    }
    // JSON Web Tokens: three parts in base64url, the first two beginning with `{"`.
    while let Some(at) = shown.find("eyJ") {
        let after = shown.get(at..).unwrap_or_default();
        let length = after
            .find(|it: char| !(it.is_ascii_alphanumeric() || "_-.=".contains(it)))
            .unwrap_or(after.len());
        let token = after.get(..length).unwrap_or_default();
        if token.contains(".eyJ") {
            shown.replace_range(at..at + length, "<secret:token>");
        } else {
            break;
        }
    }
    shown
}

/// `scheme://name:password@host`.
fn hide_url_passwords(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end = after
            .find(|it: char| it.is_whitespace() || matches!(it, '/' | '"' | '\'' | '`' | '<' | '>'))
            .unwrap_or(after.len());
        let authority = after.get(..end).unwrap_or_default();
        match authority
            .rsplit_once('@')
            .and_then(|(user, host)| Some((user.split_once(':')?, host)))
        {
            Some(((user, secret), host)) if !secret.is_empty() => {
                let scheme = before.trim_end_matches("://");
                let scheme = scheme.rsplit(|it: char| !it.is_ascii_alphanumeric()).next();
                let class = if is_database_scheme(scheme.unwrap_or_default()) {
                    "database-password"
                } else {
                    "password"
                };
                out.push_str(&format!("{user}:<secret:{class}>@{host}"));
            }
            _ => out.push_str(authority),
        }
        rest = after.get(end..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

fn is_database_scheme(scheme: &str) -> bool {
    matches!(
        scheme.to_ascii_lowercase().as_str(),
        "postgres"
            | "postgresql"
            | "mysql"
            | "mariadb"
            | "mongodb"
            | "redis"
            | "rediss"
            | "srv"
            | "mysql2"
            | "pgsql"
            | "psycopg2"
            | "pymysql"
            | "asyncpg"
    )
}

/// `name = value`, `name: value`, `"name" => "value"`, `define('NAME', 'value')`, `name value`.
fn hide_values(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((at, name)) = next_name(rest) {
        let mut end = at + name.len();
        let is_mark = name == "secret" && rest.get(..at).is_some_and(|it| it.ends_with('<'));
        if is_mark {
            // A mark is short; without a bound a line of broken ones would take quadratic time.
            let mark = rest.as_bytes().get(end..).unwrap_or_default().iter().take(MARK_BYTES_MAX);
            end += mark.clone().position(|byte| *byte == b'>').map_or(0, |it| it + 1);
        }
        out.push_str(rest.get(..end).unwrap_or_default());
        rest = rest.get(end..).unwrap_or_default();
        if is_mark || !is_secret_name(name) {
            continue;
        }
        let Some((separator, value)) = value_after(rest, name) else { continue };
        out.push_str(rest.get(..separator).unwrap_or_default());
        let after = rest.get(separator + value.len()..).unwrap_or_default();
        if is_harmless_value(value) {
            out.push_str(value);
        } else {
            out.push_str(&format!("<secret:{}>", class_of_name(name)));
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The next word that could be the name of a setting, with where it begins.
fn next_name(text: &str) -> Option<(usize, &str)> {
    let is_part = |it: char| it.is_alphanumeric() || matches!(it, '_' | '-' | '.');
    let start = text.find(is_part)?;
    let rest = text.get(start..)?;
    let length = rest.find(|it: char| !is_part(it)).unwrap_or(rest.len());
    Some((start, rest.get(..length)?))
}

pub(crate) fn is_secret_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let last = lower.rsplit(['.', '_', '-']).next().unwrap_or(&lower);
    if HARMLESS_ENDS.contains(&last) || HARMLESS_ENDS.iter().any(|end| ends_word(name, end)) {
        return false;
    }
    SECRET_WORDS.iter().any(|word| lower.contains(word)) || SECRET_WHOLE.contains(&last)
}

/// Whether a name in camel case ends with this word: `PasswordAuthentication`.
fn ends_word(name: &str, word: &str) -> bool {
    let Some(at) = name.len().checked_sub(word.len()) else { return false };
    let (Some(end), Some(before)) = (name.get(at..), name.get(..at)) else { return false };
    end.starts_with(|it: char| it.is_ascii_uppercase())
        && end.eq_ignore_ascii_case(word)
        && before.ends_with(|it: char| it.is_ascii_lowercase())
}

pub(crate) fn class_of_name(name: &str) -> &'static str {
    let lower = name.to_ascii_lowercase();
    let has = |word: &str| lower.contains(word);
    let is_database = ["db", "database", "mysql", "postgres", "pg", "redis", "mongo", "sql"]
        .iter()
        .any(|word| has(word));
    let is_password = has("pass") || has("pwd") || lower.ends_with("pw");
    match () {
        () if is_password && is_database => "database-password",
        () if is_password => "password",
        () if has("token") || has("key") => "token",
        () => "secret",
    }
}

/// Directives whose value follows after a blank.
const BLANK_SEPARATED: [&str; 7] = [
    "requirepass",
    "masterauth",
    "password",
    "remote_password",
    "bind_password",
    "psk",
    "passphrase",
];

/// Length of the separator, and the value after it, quotes not included.
fn value_after<'a>(rest: &'a str, name: &str) -> Option<(usize, &'a str)> {
    let mut at = 0;
    let mut seen = false;
    for character in rest.chars() {
        match character {
            ' ' | '\t' => {}
            '=' | ':' | ',' if !seen => seen = true,
            '>' | '=' if seen => {}
            '"' | '\'' | ']' | ')' if !seen => {}
            _ => break,
        }
        at += character.len_utf8();
    }
    if !seen {
        let blank = rest.starts_with([' ', '\t']);
        if !(blank && BLANK_SEPARATED.contains(&name.to_ascii_lowercase().as_str())) {
            return None;
        }
        at = rest.len() - rest.trim_start().len();
    }
    let tail = rest.get(at..)?;
    let quote = tail.chars().next().filter(|it| matches!(it, '"' | '\'' | '`'));
    match quote {
        Some(quote) => {
            let inner = tail.get(1..)?;
            let end = inner.find(quote).unwrap_or(inner.len());
            Some((at + 1, inner.get(..end)?))
        }
        None => {
            // An unquoted value may hold blanks; only a comment or the end of a list ends it.
            let end = tail.find([';', '}', ')']).unwrap_or(tail.len());
            let end = tail.find(" #").map_or(end, |it| it.min(end));
            let value = tail.get(..end)?.trim_end();
            // More than one word is a sentence, or a line of PAM: `password required pam_unix.so`.
            (seen || !value.contains([' ', '\t'])).then_some((at, value))
        }
    }
}

pub(crate) fn is_harmless_value(value: &str) -> bool {
    let value = value.trim();
    let lower = value.to_ascii_lowercase();
    value.is_empty()
        || value.starts_with("<secret:")
        || matches!(
            lower.as_str(),
            "yes"
                | "no"
                | "true"
                | "false"
                | "on"
                | "off"
                | "null"
                | "none"
                | "nil"
                | "0"
                | "1"
                | "["
                | "{"
                | "|"
                | ">"
                | "scram-sha-256"
                | "md5"
                | "files"
                | "prohibit-password"
        )
        || ["required", "requisite", "sufficient", "optional", "include", "substack", "[success"]
            .iter()
            .any(|word| lower.starts_with(word))
        || is_reference(value)
}

/// A value taken from elsewhere: `${NAME}`, `$NAME`, `%(name)s`, `getenv(...)`, `{{ name }}`.
fn is_reference(value: &str) -> bool {
    let simple = |text: &str| text.chars().all(|it| it.is_ascii_alphanumeric() || it == '_');
    value.starts_with("${")
        || value.strip_prefix('$').is_some_and(|rest| {
            !rest.is_empty()
                && simple(rest)
                && rest.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_')
        })
        || value.starts_with("%(")
        || value.starts_with("{{")
        || value.starts_with("getenv")
        || value.starts_with("env(")
        || value.starts_with("os.environ")
        || value.starts_with("process.env")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, input: &str, expected: &str) {
        let shown = content(Path::new(path), input.as_bytes().to_vec());
        assert_eq!(String::from_utf8_lossy(&shown), expected);
    }

    #[test]
    fn a_password_hash_becomes_its_algorithm() {
        check(
            "/etc/shadow",
            "root:$y$j9T$abc$def:19000:0\nweb:!:1\nold:!$6$s$h:1\nopen::1\nx:*:1\ncorrupt\n",
            "root:<yescrypt>:19000:0\nweb:!:1\nold:!<sha512>:1\nopen::1\nx:*:1\n<secret:line>\n",
        );
    }

    #[test]
    fn passwords_in_settings_are_hidden_and_their_surroundings_are_not() {
        let check = |input: &str, expected: &str| check("/srv/app/.env", input, expected);
        check("DB_PASSWORD=hunter2", "DB_PASSWORD=<secret:database-password>");
        check("api_key: 'abc def'", "api_key: '<secret:token>'");
        check(
            "define('DB_PASSWORD', 'x;y');",
            "define('DB_PASSWORD', '<secret:database-password>');",
        );
        check("'password' => \"p w\",", "'password' => \"<secret:password>\",");
        check("$config['db_pass'] = 'q';", "$config['db_pass'] = '<secret:database-password>';");
        check("requirepass tops3cret", "requirepass <secret:password>");
        check("url=postgres://shop:pw@db/x", "url=postgres://shop:<secret:database-password>@db/x");
        check("DB_PASSWORD=${DB_PASSWORD}", "DB_PASSWORD=${DB_PASSWORD}");
        check("key=AKIAABCDEFGHIJKLMNOP", "key=<secret:token>");
    }

    #[test]
    fn settings_that_only_speak_of_passwords_stay() {
        let check = |text: &str| check("/etc/ssh/sshd_config", text, text);
        check("PasswordAuthentication no");
        check("PermitEmptyPasswords no");
        check("password_encryption = scram-sha-256");
        check("password_file /etc/mosquitto/passwd");
        check("password required pam_unix.so obscure yescrypt");
        check("# password authentication. Depending on your PAM configuration");
    }

    #[test]
    fn the_grammar_of_sudo_and_the_name_service_stays() {
        let rule = "%wheel ALL=(ALL) NOPASSWD: /usr/bin/dnf\n";
        check("/etc/sudoers", rule, rule);
        check("/etc/sudoers.d/ops", rule, rule);
        check("/etc/nsswitch.conf", "passwd: files sss\n", "passwd: files sss\n");
    }

    #[test]
    fn a_private_key_keeps_only_whether_it_has_a_passphrase() {
        check(
            "/root/.ssh/id_ed25519",
            "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\nQyNTUxOQAAACD\n-----END OPENSSH PRIVATE KEY-----\nafter\n",
            "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUA<secret:private-key>\n\n-----END PRIVATE KEY-----\nafter\n",
        );
    }

    #[test]
    fn arguments_are_hidden_with_or_without_an_equals_sign() {
        check(
            "/proc/7/cmdline",
            "x\0--password=abc\0-v\0",
            "x\0--password=<secret:password>\0-v\0",
        );
        check("/proc/7/cmdline", "x\0--token\0abc\0", "x\0--token\0<secret:password>\0");
        check(
            "/proc/7/cmdline",
            "beam\0-setcookie\0abc\0",
            "beam\0-setcookie\0<secret:password>\0",
        );
    }

    #[test]
    fn an_authorized_key_keeps_type_and_options() {
        let line = "from=\"10.0.0.1\",command=\"echo a b\" ssh-ed25519 AAAAC3Nz ada@laptop\n";
        let shown = content(Path::new("/root/.ssh/authorized_keys"), line.into());
        let shown = String::from_utf8(shown).unwrap();
        assert!(shown.starts_with("from=\"10.0.0.1\",command=\"echo a b\" ssh-ed25519 "));
        assert!(!shown.contains("AAAAC3Nz") && !shown.contains("ada@laptop"));
    }

    #[test]
    fn a_history_shows_no_command() {
        check(
            "/root/.bash_history",
            "ls\nexport API_TOKEN=abc\nmysql -phunter2 shop\n",
            "\n<secret:token>\n<secret:password>\n",
        );
    }
}
