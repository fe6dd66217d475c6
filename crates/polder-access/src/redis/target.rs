//! Where a server is and who connects, as users of `redis-cli` say it.

use crate::around::{decoded, url, wrong};
use crate::{AccessError, Ambient};
use zeroize::Zeroizing;

/// Sockets of servers: Debian's packages of Redis and Valkey.
const SOCKETS: [&str; 3] =
    ["/run/redis/redis-server.sock", "/run/redis/redis.sock", "/run/valkey/valkey.sock"];

/// A server, and who connects.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// Name or address; not looked at where there is a socket.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Socket of this host.
    pub socket: Option<String>,
    /// User that connects.
    pub user: String,
    /// Its password, if one is known.
    pub password: Option<Zeroizing<String>>,
}

impl Target {
    /// Whether a connection is said in the way of this server.
    pub fn is_said(said: &str) -> bool {
        const SCHEMES: [&str; 4] = ["redis://", "valkey://", "redis+unix://", "unix://"];
        matches!(said, "redis" | "valkey")
            || said.starts_with("rediss://")
            || SCHEMES.iter().any(|it| said.starts_with(it))
    }

    /// Reads what was said, and completes it: the environment, defaults.
    ///
    /// # Errors
    /// When it is no connection, or asks for something that is not supported.
    pub fn parse(said: &str, around: &Ambient) -> Result<Self, AccessError> {
        let (scheme, rest) = said.split_once("://").unwrap_or(("", ""));
        if scheme == "rediss" {
            let what =
                "TLS to Redis is not spoken: connect on the host itself, or through a tunnel";
            return Err(wrong(what));
        }
        let password = around.variables.get("REDISCLI_AUTH").cloned().map(Zeroizing::new);
        if scheme.ends_with("unix") {
            let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
            let known = url(&format!("?{query}"))?;
            let text = |key: &str| known.get(key).cloned();
            return Ok(Self {
                socket: Some(decoded(path)?),
                user: text("user").unwrap_or_else(|| "default".into()),
                password: text("pass").map(Zeroizing::new).or(password),
                ..Self::default()
            });
        }
        let known = url(rest)?;
        let text = |key: &str| known.get(key).filter(|it| !it.is_empty()).cloned();
        let port = text("port").unwrap_or_else(|| "6379".into());
        let port = port.parse().map_err(|_| wrong("its port is not a number"))?;
        let there = SOCKETS.iter().find(|it| std::path::Path::new(it).exists());
        let is_named = text("host").is_some();
        Ok(Self {
            host: text("host").unwrap_or_else(|| "127.0.0.1".into()),
            port,
            socket: there.filter(|_| !is_named && scheme.is_empty()).map(|it| (*it).to_string()),
            user: text("user").unwrap_or_else(|| "default".into()),
            password: text("password").map(Zeroizing::new).or(password),
        })
    }

    /// The server in words, without anything secret.
    pub fn server(&self) -> String {
        match &self.socket {
            Some(path) => format!("Redis at `{path}`"),
            None => format!("Redis at {}:{}", self.host, self.port),
        }
    }

    /// Where it is, whoever connects.
    pub fn place(&self) -> (Option<&str>, &str, u16) {
        match &self.socket {
            Some(path) => (Some(path), "", 0),
            None => (None, &self.host, self.port),
        }
    }

    /// How to say it again, without anything secret.
    pub fn said(&self) -> String {
        let user = crate::around::encoded(&self.user);
        match &self.socket {
            Some(path) => format!("redis+unix://{}?user={user}", crate::around::encoded(path)),
            None if self.host.contains(':') => {
                format!("redis://{user}@[{}]:{}", self.host, self.port)
            }
            None => format!("redis://{user}@{}:{}", self.host, self.port),
        }
    }

    /// The same with its password, for the client alone.
    pub(super) fn secret(&self) -> Zeroizing<String> {
        let encoded = crate::around::encoded;
        let user = if self.user == "default" { String::new() } else { encoded(&self.user) };
        let password = self.password.as_ref().map(|it| Zeroizing::new(encoded(it)));
        let password = password.as_ref().map_or("", |it| it.as_str());
        Zeroizing::new(match &self.socket {
            Some(path) if password.is_empty() => format!("redis+unix://{}", encoded(path)),
            Some(path) if user.is_empty() => {
                format!("redis+unix://{}?pass={password}", encoded(path))
            }
            Some(path) => format!("redis+unix://{}?user={user}&pass={password}", encoded(path)),
            None => {
                let host = match self.host.contains(':') {
                    true => format!("[{}]", self.host),
                    false => self.host.clone(),
                };
                match password.is_empty() {
                    true => format!("redis://{host}:{}", self.port),
                    false => format!("redis://{user}:{password}@{host}:{}", self.port),
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_said_again_without_its_secret() {
        let parse = |it: &str| Target::parse(it, &Ambient::default()).unwrap();
        for said in ["redis://web@db.example:6380", "redis+unix:///run/r%20x/s?user=default"] {
            assert_eq!(parse(said).said(), said);
        }
        let secret = parse("redis://web:41%2011@10.0.0.1");
        assert_eq!(secret.password.as_ref().map(|it| it.as_str()), Some("41 11"));
        assert_eq!(secret.secret().as_str(), "redis://web:41%2011@10.0.0.1:6379");
        assert!(!secret.said().contains("41") && !secret.server().contains("41"));
        assert!(Target::parse("rediss://x", &Ambient::default()).is_err());
    }
}
