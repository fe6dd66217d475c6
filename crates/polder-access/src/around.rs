//! What stands around a program and says how servers are connected to, and the forms in which a connection is said.

use crate::AccessError;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Largest file that is read.
pub(crate) const FILE_BYTES_MAX: u64 = 1 << 20;

/// How much a connection asks of TLS (libpq, 34.19).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsMode {
    /// No TLS.
    Disable,
    /// TLS if the server has it, whoever it is.
    #[default]
    Prefer,
    /// TLS, whoever the server is.
    Require,
    /// TLS, with a certificate from an authority that is trusted.
    VerifyCa,
    /// The same, for this name.
    VerifyFull,
}

/// What stands around a program and says how to connect; the command line reads it.
#[derive(Clone, Debug, Default)]
pub struct Ambient {
    /// Variables that begin with `PG`, `MYSQL`, `MARIADB` or `REDIS`.
    pub variables: BTreeMap<String, String>,
    /// The home folder, for `.pgpass`, `.pg_service.conf` and `.postgresql/`.
    pub home: Option<PathBuf>,
    /// Name of the user of the system.
    pub user: Option<String>,
    /// Numbers of users and their groups, for servers that ask the system who connects (`peer`).
    pub users: BTreeMap<String, (u32, u32)>,
    /// Members of groups, by number.
    pub groups: BTreeMap<u32, Vec<String>>,
}

pub(crate) fn wrong(what: impl Into<String>) -> AccessError {
    AccessError::Target { what: what.into() }
}

pub(crate) fn read(path: &Path) -> Option<String> {
    let metadata = path.metadata().ok()?;
    (metadata.is_file() && metadata.len() <= FILE_BYTES_MAX).then_some(())?;
    std::fs::read_to_string(path).ok()
}

/// `user:password@host:port/database?key=value`, what follows `://`.
pub(crate) fn url(rest: &str) -> Result<BTreeMap<String, String>, AccessError> {
    let mut known = BTreeMap::new();
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = place.split_once('/').unwrap_or((place, ""));
    let (who, server) = match authority.rsplit_once('@') {
        Some((who, server)) => (who, server),
        None => ("", authority),
    };
    let (user, password) = who.split_once(':').unwrap_or((who, ""));
    let (host, port) = match server.rsplit_once(':') {
        // The last colon may be one of an address in brackets.
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (server, ""),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let said = [
        ("user", user),
        ("password", password),
        ("host", host),
        ("port", port),
        ("dbname", database),
    ];
    for (key, value) in said.into_iter().filter(|(_, value)| !value.is_empty()) {
        known.insert(key.to_string(), decoded(value)?);
    }
    for pair in query.split('&').filter(|it| !it.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        known.insert(decoded(key)?, decoded(value)?);
    }
    Ok(known)
}

/// Text with `%41` for `A`.
pub(crate) fn decoded(text: &str) -> Result<String, AccessError> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        if *byte == b'%' {
            let code = text.get(at + 1..at + 3).and_then(|it| u8::from_str_radix(it, 16).ok());
            out.push(code.ok_or_else(|| wrong("the URL has a `%` without a number"))?);
            at += 3;
        } else {
            out.push(*byte);
            at += 1;
        }
    }
    String::from_utf8(out).map_err(|_| wrong("the URL is not UTF-8"))
}

/// Text as a URL has it.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            it if it.is_ascii_alphanumeric() || b"-._~/".contains(&it) => out.push(char::from(it)),
            it => out.push_str(&format!("%{it:02X}")),
        }
    }
    out
}
