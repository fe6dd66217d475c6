//! Where a server is and who connects, as users of the `mariadb` client say it: a URL, option files, the environment.

use crate::around::{encoded, read, url, wrong};
use crate::{AccessError, Ambient, TlsMode};
use mysql::{ClientIdentity, Opts, OptsBuilder, SslOpts};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use zeroize::Zeroizing;

/// How long to wait for a server, and for an answer.
const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(90);

/// Sockets of servers: Debian's, Red Hat's; not where anybody could put one.
const SOCKETS: [&str; 2] = ["/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock"];

/// What may be said of a connection.
const KEYS: [&str; 13] = [
    "host",
    "port",
    "user",
    "password",
    "dbname",
    "database",
    "socket",
    "protocol",
    "ssl-mode",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "defaults-file",
];

/// A server, and who connects.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// Name or address; not looked at where there is a socket.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Socket of this host.
    pub socket: Option<String>,
    /// Database in which names without one are looked up.
    pub database: Option<String>,
    /// Account that connects.
    pub user: String,
    /// Its password, if one is known.
    pub password: Option<Zeroizing<String>>,
    /// How much TLS is asked for.
    pub tls: TlsMode,
    /// Certificates of trusted authorities; those that browsers trust where none is named.
    pub root_certificates: Option<PathBuf>,
    /// Certificate and key of whoever connects.
    pub client_certificate: Option<(PathBuf, PathBuf)>,
    /// User and group of the system by whom root connects to a socket.
    pub system_user: Option<(u32, u32)>,
}

impl Target {
    /// Whether a connection is said in the way of this server.
    pub fn is_said(said: &str) -> bool {
        matches!(said, "mariadb" | "mysql")
            || ["mariadb://", "mysql://"].iter().any(|it| said.starts_with(it))
    }

    /// Reads what was said, and completes it: environment, option files, defaults.
    ///
    /// # Errors
    /// When it is no connection, or asks for something that is not supported.
    pub fn parse(said: &str, around: &Ambient) -> Result<Self, AccessError> {
        let rest = said.split_once("://").map_or("", |it| it.1);
        let mut known = url(rest)?;
        known.retain(|_, value| !value.is_empty());
        if let Some(key) = known.keys().find(|it| !KEYS.contains(&it.as_str())) {
            return Err(wrong(format!("`{key}` is not known: {} are", KEYS.join(", "))));
        }
        let variable = |name: &str| around.variables.get(name).filter(|it| !it.is_empty()).cloned();
        for (key, value) in options(&known, around)? {
            known.entry(key).or_insert(value);
        }
        let text = |key: &str| known.get(key).cloned();
        let user = text("user").or_else(|| own_name(around));
        let user = user.ok_or_else(|| wrong("no account is named that connects"))?;
        let port = text("port").or_else(|| variable("MYSQL_TCP_PORT"));
        let port = port.unwrap_or_else(|| "3306".into());
        let port = port.parse().map_err(|_| wrong("its port is not a number"))?;
        let host = text("host").or_else(|| variable("MYSQL_HOST"));
        // As clients have it: `localhost` is the socket, a number is the network.
        let is_local = host.as_deref().is_none_or(|it| it == "localhost");
        let is_network = text("protocol").is_some_and(|it| it.eq_ignore_ascii_case("tcp"));
        let found = || {
            let there = SOCKETS.iter().find(|it| std::path::Path::new(it).exists());
            (*there.unwrap_or(&SOCKETS[0])).to_string()
        };
        let socket = text("socket").or_else(|| variable("MYSQL_UNIX_PORT"));
        let socket = (is_local && !is_network).then(|| socket.unwrap_or_else(found));
        let tls = match text("ssl-mode").map(|it| it.to_lowercase()).as_deref() {
            Some("disabled") => TlsMode::Disable,
            Some("required") => TlsMode::Require,
            Some("verify_ca") => TlsMode::VerifyCa,
            Some("verify_identity") => TlsMode::VerifyFull,
            None | Some("preferred") => TlsMode::Prefer,
            Some(other) => return Err(wrong(format!("`{other}` is no ssl-mode"))),
        };
        Ok(Self {
            system_user: around.users.get(&user).copied(),
            database: text("dbname").or_else(|| text("database")),
            password: text("password").or_else(|| variable("MYSQL_PWD")).map(Zeroizing::new),
            root_certificates: text("ssl-ca").map(PathBuf::from),
            client_certificate: text("ssl-cert")
                .zip(text("ssl-key"))
                .map(|(a, b)| (a.into(), b.into())),
            host: host.unwrap_or_else(|| "localhost".into()),
            port,
            socket,
            user,
            tls,
        })
    }

    /// The server in words, without anything secret.
    pub fn server(&self) -> String {
        match &self.socket {
            Some(path) => format!("MariaDB at `{path}`"),
            None => format!("MariaDB at {}:{}", self.host, self.port),
        }
    }

    /// How to say it again, without anything secret.
    pub fn said(&self) -> String {
        let mut out = format!("mariadb://{}@", encoded(&self.user));
        match self.host.contains(':') {
            true => out.push_str(&format!("[{}]", self.host)),
            false => out.push_str(&encoded(&self.host)),
        }
        if self.socket.is_none() {
            out.push_str(&format!(":{}", self.port));
        }
        if let Some(database) = &self.database {
            out.push_str(&format!("/{}", encoded(database)));
        }
        let mode = match self.tls {
            TlsMode::Disable => Some("disabled"),
            TlsMode::Prefer => None,
            TlsMode::Require => Some("required"),
            TlsMode::VerifyCa => Some("verify_ca"),
            TlsMode::VerifyFull => Some("verify_identity"),
        };
        let path = |it: &PathBuf| it.to_string_lossy().into_owned();
        let certificate = self.client_certificate.as_ref();
        let parts = [
            ("socket", self.socket.clone()),
            ("protocol", (self.socket.is_none() && self.host == "localhost").then(|| "tcp".into())),
            ("ssl-mode", mode.map(str::to_string)),
            ("ssl-ca", self.root_certificates.as_ref().map(path)),
            ("ssl-cert", certificate.map(|it| path(&it.0))),
            ("ssl-key", certificate.map(|it| path(&it.1))),
        ];
        let mut sign = '?';
        for (key, value) in parts.into_iter().filter_map(|(key, value)| Some((key, value?))) {
            out.push_str(&format!("{sign}{key}={}", encoded(&value)));
            sign = '&';
        }
        out
    }

    /// Where it is, whoever connects.
    pub fn place(&self) -> (Option<&str>, &str, u16) {
        match &self.socket {
            Some(path) => (Some(path), "", 0),
            None => (None, &self.host, self.port),
        }
    }

    /// The same server, for somebody else.
    pub(super) fn account(&self, user: &str, password: &str) -> Self {
        Self {
            user: user.into(),
            password: Some(Zeroizing::new(password.into())),
            database: None,
            system_user: None,
            ..self.clone()
        }
    }

    pub(super) fn options(&self, is_encrypted: bool) -> Opts {
        let mut it = OptsBuilder::new()
            .user(Some(&self.user))
            .pass(self.password.as_ref().map(|it| it.as_str()))
            .prefer_socket(false)
            .tcp_connect_timeout(Some(CONNECT))
            .read_timeout(Some(ANSWER))
            .write_timeout(Some(ANSWER))
            .stmt_cache_size(0);
        it = match &self.socket {
            Some(path) => it.socket(Some(path)),
            None => it.ip_or_hostname(Some(&self.host)).tcp_port(self.port),
        };
        if is_encrypted {
            let identity = self
                .client_certificate
                .clone()
                .map(|(certificate, key)| ClientIdentity::new(certificate, key));
            let believes = matches!(self.tls, TlsMode::Prefer | TlsMode::Require);
            let tls = SslOpts::default()
                .with_client_identity(identity)
                .with_root_cert_path(self.root_certificates.clone())
                .with_danger_accept_invalid_certs(believes)
                .with_danger_skip_domain_validation(self.tls != TlsMode::VerifyFull);
            it = it.ssl_opts(tls);
        }
        it.into()
    }
}

/// The name of whoever runs the program; root is root here.
fn own_name(around: &Ambient) -> Option<String> {
    let own = rustix::process::geteuid().as_raw();
    let known = around.users.iter().find(|(_, it)| it.0 == own);
    known.map(|(name, _)| name.clone()).or_else(|| around.user.clone())
}

/// What option files say to clients: the one that was named, or the user's own before the system's.
fn options(
    known: &BTreeMap<String, String>,
    around: &Ambient,
) -> Result<BTreeMap<String, String>, AccessError> {
    if let Some(path) = known.get("defaults-file") {
        let text = read(path.as_ref());
        let text = text.ok_or_else(|| wrong(format!("`{path}` cannot be read")))?;
        return Ok(parse_options(&text));
    }
    let own = around.home.as_ref().map(|it| it.join(".my.cnf"));
    let paths = [own, Some("/etc/mysql/my.cnf".into()), Some("/etc/my.cnf".into())];
    let mut found = BTreeMap::new();
    for text in paths.into_iter().flatten().filter_map(|it| read(&it)) {
        for (key, value) in parse_options(&text) {
            found.entry(key).or_insert(value);
        }
    }
    Ok(found)
}

/// What an option file says to clients.
pub fn parse_options(text: &str) -> BTreeMap<String, String> {
    const KNOWN: [&str; 10] = [
        "user", "password", "host", "port", "socket", "protocol", "ssl-mode", "ssl-ca", "ssl-cert",
        "ssl-key",
    ];
    let mut found = BTreeMap::new();
    let mut is_ours = false;
    for line in text.lines().map(str::trim) {
        if let Some(group) = line.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            is_ours = matches!(
                group,
                "client" | "client-server" | "client-mariadb" | "mysql" | "mariadb-client"
            );
            continue;
        }
        if !is_ours || line.starts_with('#') || line.is_empty() {
            continue;
        }
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        let key = key.trim().replace('_', "-");
        let value = value.trim();
        let unquoted = ['"', '\''].iter().find_map(|it| value.strip_prefix(*it)?.strip_suffix(*it));
        // The older way to ask for a certificate with this name.
        let is_on = !matches!(value.to_lowercase().as_str(), "0" | "off" | "false");
        if key == "ssl-verify-server-cert" && is_on {
            found.insert("ssl-mode".into(), "verify_identity".into());
        }
        if KNOWN.contains(&key.as_str()) {
            found.insert(key, unquoted.unwrap_or(value).to_string());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(said: &str) -> Target {
        Target::parse(said, &Ambient { user: Some("ada".into()), ..Ambient::default() }).unwrap()
    }

    #[test]
    fn a_connection_is_said_again_without_its_secret() {
        for said in [
            "mariadb://root@localhost/shop?socket=/run/mysqld/mysqld.sock",
            "mariadb://we%20b@db.example:3307/o%60dd?ssl-mode=verify_ca&ssl-ca=/etc/ca.pem",
            "mariadb://ada@localhost:3306?protocol=tcp",
        ] {
            assert_eq!(target(said).said(), said);
        }
        let secret = target("mysql://ada:4111@10.0.0.1");
        assert_eq!(secret.password.as_ref().map(|it| it.as_str()), Some("4111"));
        assert!(!secret.said().contains("4111") && !secret.server().contains("4111"));
    }

    #[test]
    fn option_files_speak_to_clients_and_to_servers() {
        let text =
            "[mysqld]\nport=1\n[client]\n# user=x\nuser = web\npassword=\"p#1\"\nssl_ca=/ca\n";
        let found = parse_options(text);
        let all: Vec<_> = found.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(all, ["password=p#1", "ssl-ca=/ca", "user=web"]);
    }
}
