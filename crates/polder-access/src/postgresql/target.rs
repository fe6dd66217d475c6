//! Where a server is and who connects, as users of libpq say it: a URL, `key=value` pairs, a service, `.pgpass`.

use crate::around::{read, url, wrong};
use crate::{AccessError, Ambient, TlsMode};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A server, a database, and who connects.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// Name, address, or folder of sockets.
    pub host: String,
    /// Port; of a socket the number in its name.
    pub port: u16,
    /// Database.
    pub database: String,
    /// Role that connects.
    pub user: String,
    /// Its password, if one is known.
    pub password: Option<Zeroizing<String>>,
    /// How much TLS is asked for.
    pub tls: TlsMode,
    /// Certificates of trusted authorities; the system's where none is named.
    pub root_certificates: Option<PathBuf>,
    /// Certificate and key of whoever connects.
    pub client_certificate: Option<(PathBuf, PathBuf)>,
    /// User and group of the system by whom root connects to a socket.
    pub system_user: Option<(u32, u32)>,
}

/// Folders in which servers put their sockets, Debian's first.
const SOCKET_FOLDERS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

impl Target {
    /// Reads what was said, and completes it as libpq does: service, environment, `.pgpass`, defaults.
    ///
    /// # Errors
    /// When it is no connection, names a service that is not there, or asks for something that is not supported.
    pub fn parse(said: &str, around: &Ambient) -> Result<Self, AccessError> {
        let mut known = match said.split_once("://") {
            Some(("postgres" | "postgresql", rest)) => url(rest)?,
            Some((scheme, _)) => {
                return Err(wrong(format!("`{scheme}://` is no PostgreSQL: `postgresql://` is")));
            }
            None if said.contains('=') => pairs(said)?,
            None => BTreeMap::from([("dbname".to_string(), said.to_string())]),
        };
        known.retain(|_, value| !value.is_empty());
        let variable = |name: &str| around.variables.get(name).filter(|it| !it.is_empty()).cloned();
        if let Some(name) = known.get("service").cloned().or_else(|| variable("PGSERVICE")) {
            for (key, value) in service(&name, around)? {
                known.entry(key).or_insert(value);
            }
        }
        for (name, key) in VARIABLES {
            if let Some(value) = variable(name) {
                known.entry(key.to_string()).or_insert(value);
            }
        }
        Self::complete(&known, around)
    }

    fn complete(known: &BTreeMap<String, String>, around: &Ambient) -> Result<Self, AccessError> {
        let text = |key: &str| known.get(key).cloned();
        let user = text("user").or_else(|| around.user.clone());
        let user = user.ok_or_else(|| wrong("no role is named that connects"))?;
        let port = text("port").unwrap_or_else(|| "5432".into());
        let port = port.parse().map_err(|_| wrong("its port is not a number"))?;
        let host = text("hostaddr").or_else(|| text("host")).unwrap_or_else(|| {
            let socket =
                |folder: &&&str| Path::new(folder).join(format!(".s.PGSQL.{port}")).exists();
            SOCKET_FOLDERS.iter().find(socket).unwrap_or(&SOCKET_FOLDERS[0]).to_string()
        });
        if host.contains(',') {
            return Err(wrong("name one server: rights are those of one"));
        }
        if text("gssencmode").is_some_and(|it| it == "require") {
            return Err(wrong("encryption by GSSAPI is not supported: use TLS"));
        }
        let tls = match text("sslmode").as_deref() {
            None | Some("prefer" | "allow") => TlsMode::Prefer,
            Some("disable") => TlsMode::Disable,
            Some("require") => TlsMode::Require,
            Some("verify-ca") => TlsMode::VerifyCa,
            Some("verify-full") => TlsMode::VerifyFull,
            Some(other) => return Err(wrong(format!("`{other}` is no sslmode"))),
        };
        let own = around.home.as_ref().map(|it| it.join(".postgresql"));
        let file = |key: &str, name: &str| {
            let default = own.as_ref().map(|it| it.join(name)).filter(|it| it.exists());
            text(key).map(PathBuf::from).or(default)
        };
        let mut target = Self {
            database: text("dbname").unwrap_or_else(|| user.clone()),
            password: text("password").map(Zeroizing::new),
            root_certificates: file("sslrootcert", "root.crt")
                .filter(|it| it.as_os_str() != "system"),
            client_certificate: file("sslcert", "postgresql.crt")
                .zip(file("sslkey", "postgresql.key")),
            system_user: around.users.get(&user).copied(),
            host,
            port,
            user,
            tls,
        };
        if target.password.is_none() {
            let path = text("passfile")
                .map(PathBuf::from)
                .or_else(|| around.home.as_ref().map(|it| it.join(".pgpass")));
            target.password = path.and_then(|it| from_pgpass(&it, &target));
        }
        Ok(target)
    }

    /// Whether it is reached by a socket of this host.
    pub fn is_socket(&self) -> bool {
        self.host.starts_with('/') || self.host.starts_with('@')
    }

    /// The server in words, without anything secret.
    pub fn server(&self) -> String {
        match self.is_socket() {
            true => format!("PostgreSQL at `{}/.s.PGSQL.{}`", self.host, self.port),
            false => format!("PostgreSQL at {}:{}", self.host, self.port),
        }
    }

    /// Where it is, whoever connects.
    pub fn place(&self) -> (&str, u16, &str) {
        (&self.host, self.port, &self.database)
    }

    /// How to say it again, without anything secret.
    pub fn said(&self) -> String {
        let word = |it: &str| match it.contains([' ', '\'', '\\']) || it.is_empty() {
            true => format!("'{}'", it.replace('\\', "\\\\").replace('\'', "\\'")),
            false => it.to_string(),
        };
        let mut out = format!(
            "host={} port={} dbname={} user={}",
            word(&self.host),
            self.port,
            word(&self.database),
            word(&self.user)
        );
        let mode = match self.tls {
            TlsMode::Disable => Some("disable"),
            TlsMode::Prefer => None,
            TlsMode::Require => Some("require"),
            TlsMode::VerifyCa => Some("verify-ca"),
            TlsMode::VerifyFull => Some("verify-full"),
        };
        if let Some(mode) = mode {
            out.push_str(&format!(" sslmode={mode}"));
        }
        if let Some(path) = &self.root_certificates {
            out.push_str(&format!(" sslrootcert={}", word(&path.to_string_lossy())));
        }
        if let Some((certificate, key)) = &self.client_certificate {
            let (certificate, key) = (certificate.to_string_lossy(), key.to_string_lossy());
            out.push_str(&format!(" sslcert={} sslkey={}", word(&certificate), word(&key)));
        }
        out
    }

    /// The same server, another database.
    pub fn database(&self, name: &str) -> Self {
        Self { database: name.to_string(), ..self.clone() }
    }
}

/// Variables of the environment, and what each says (libpq, 34.15).
const VARIABLES: [(&str, &str); 11] = [
    ("PGHOST", "host"),
    ("PGHOSTADDR", "hostaddr"),
    ("PGPORT", "port"),
    ("PGDATABASE", "dbname"),
    ("PGUSER", "user"),
    ("PGPASSWORD", "password"),
    ("PGPASSFILE", "passfile"),
    ("PGSSLMODE", "sslmode"),
    ("PGSSLROOTCERT", "sslrootcert"),
    ("PGSSLCERT", "sslcert"),
    ("PGSSLKEY", "sslkey"),
];

/// `key=value key='value with blanks'`.
fn pairs(text: &str) -> Result<BTreeMap<String, String>, AccessError> {
    let mut known = BTreeMap::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (key, after) =
            rest.split_once('=').ok_or_else(|| wrong("the connection has a key without `=`"))?;
        let mut value = String::new();
        let mut characters = after.trim_start().char_indices();
        let after = after.trim_start();
        let is_quoted = after.starts_with('\'');
        if is_quoted {
            characters.next();
        }
        let mut end = after.len();
        let mut is_closed = !is_quoted;
        while let Some((at, character)) = characters.next() {
            match character {
                '\\' => value.extend(characters.next().map(|(_, it)| it)),
                '\'' if is_quoted => {
                    (is_closed, end) = (true, at + 1);
                    break;
                }
                it if it.is_whitespace() && !is_quoted => {
                    end = at;
                    break;
                }
                it => value.push(it),
            }
        }
        if !is_closed {
            return Err(wrong("the connection has a quote that is not closed"));
        }
        known.insert(key.trim().to_string(), value);
        rest = after.get(end..).unwrap_or_default().trim_start();
    }
    Ok(known)
}

/// Sections of `pg_service.conf` (libpq, 34.17): what is set in the one of this name.
pub fn parse_services(text: &str, name: &str) -> Option<BTreeMap<String, String>> {
    let mut found: Option<BTreeMap<String, String>> = None;
    let mut is_here = false;
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            if found.is_some() {
                break;
            }
            is_here = section == name;
            if is_here {
                found = Some(BTreeMap::new());
            }
        } else if is_here
            && !line.starts_with('#')
            && let (Some((key, value)), Some(known)) = (line.split_once('='), found.as_mut())
        {
            known.insert(key.trim().to_string(), value.trim().to_string());
        }
    }
    found
}

fn service(name: &str, around: &Ambient) -> Result<BTreeMap<String, String>, AccessError> {
    let named = around.variables.get("PGSERVICEFILE").map(PathBuf::from);
    let own = around.home.as_ref().map(|it| it.join(".pg_service.conf"));
    let folder = around.variables.get("PGSYSCONFDIR").map_or("/etc/postgresql-common", |it| it);
    let paths = [named.or(own), Some(Path::new(folder).join("pg_service.conf"))];
    for path in paths.into_iter().flatten() {
        if let Some(found) = read(&path).and_then(|it| parse_services(&it, name)) {
            return Ok(found);
        }
    }
    Err(wrong(format!("no service `{name}` is defined")))
}

/// The password for a connection (libpq, 34.16): the first line that fits.
pub fn parse_pgpass(text: &str, fields: [&str; 4]) -> Option<Zeroizing<String>> {
    for line in text.lines().filter(|it| !it.starts_with('#')) {
        let mut parts = vec![Zeroizing::new(String::new())];
        let mut characters = line.chars();
        while let Some(character) = characters.next() {
            match character {
                ':' if parts.len() < 5 => parts.push(Zeroizing::new(String::new())),
                '\\' => {
                    if let Some(last) = parts.last_mut() {
                        last.extend(characters.next());
                    }
                }
                it => {
                    if let Some(last) = parts.last_mut() {
                        last.push(it);
                    }
                }
            }
        }
        let fits = |(part, field): (&Zeroizing<String>, &&str)| {
            part.as_str() == "*" || part.as_str() == *field
        };
        if parts.len() == 5 && parts.iter().zip(&fields).all(fits) {
            return parts.pop();
        }
    }
    None
}

/// Like libpq, leaves a file alone that others may read.
fn from_pgpass(path: &Path, target: &Target) -> Option<Zeroizing<String>> {
    use std::os::unix::fs::PermissionsExt;
    if path.metadata().ok()?.permissions().mode() & 0o077 != 0 {
        return None;
    }
    let text = Zeroizing::new(read(path)?);
    let port = target.port.to_string();
    let host = match target.is_socket() && SOCKET_FOLDERS.contains(&target.host.as_str()) {
        true => "localhost",
        false => &target.host,
    };
    parse_pgpass(&text, [host, &port, &target.database, &target.user])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(said: &str, expected: &str) {
        let around = Ambient { user: Some("ada".into()), ..Ambient::default() };
        match Target::parse(said, &around) {
            Ok(target) => assert_eq!(target.said(), expected),
            Err(error) => assert_eq!(error.to_string(), expected),
        }
    }

    #[test]
    fn a_connection_is_said_as_for_libpq() {
        check(
            "postgresql://web:p%40ss@db.example:5433/shop?sslmode=verify-full",
            "host=db.example port=5433 dbname=shop user=web sslmode=verify-full",
        );
        check("postgres://[::1]/shop", "host=::1 port=5432 dbname=shop user=ada");
        check(
            "host=/run/x user='o\\'neil b' password='a b'",
            "host=/run/x port=5432 dbname='o\\'neil b' user='o\\'neil b'",
        );
        check("mysql://x/y", "`mysql://` is no PostgreSQL: `postgresql://` is");
        check("host=x port=y", "its port is not a number");
        check("host='x", "the connection has a quote that is not closed");
        check("host=a,b", "name one server: rights are those of one");
    }

    #[test]
    fn passwords_are_found_and_never_said() {
        let text = "# c\ndb:5432:*:web:a\\:b\n*:*:shop:*:other\n";
        let found = parse_pgpass(text, ["db", "5432", "shop", "web"]);
        assert_eq!(found.as_deref().map(String::as_str), Some("a:b"));
        let found = parse_pgpass(text, ["x", "5432", "shop", "web"]);
        assert_eq!(found.as_deref().map(String::as_str), Some("other"));
        assert!(parse_pgpass(text, ["x", "5432", "y", "web"]).is_none());
        let services = "[a]\nhost=x\n[b]\nhost = y # z\nport=1\n";
        assert_eq!(parse_services(services, "b").unwrap()["port"], "1");
        assert!(parse_services(services, "c").is_none());
    }
}
