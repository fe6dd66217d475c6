//! What the first answer of a server says about whom it lets in.

use polder_host::Handshake;
use polder_model::facts::{Access, Engine};

/// The greeting for an engine.
pub(crate) fn handshake(engine: Engine) -> Option<Handshake> {
    Some(match engine {
        Engine::Postgresql => Handshake::Postgres,
        Engine::Mariadb => Handshake::Mysql,
        Engine::Redis => Handshake::Redis,
        Engine::Rabbitmq => Handshake::Amqp,
        Engine::Nats => Handshake::Nats,
        Engine::Mosquitto => Handshake::Mqtt,
        Engine::Memcached => Handshake::Memcached,
        Engine::Elasticsearch => Handshake::Http,
        Engine::Mongodb => return None,
    })
}

/// Settings that an answer tells: they hold, whatever a file says.
pub(crate) fn settings(engine: Engine, bytes: &[u8]) -> Vec<(String, String)> {
    // Redis serialization protocol: the name as one bulk string, then its value as another.
    const NAME: &[u8] = b"$14\r\nprotected-mode\r\n";
    let value = memchr::memmem::find(bytes, NAME).and_then(|at| bytes.get(at + NAME.len()..));
    let value = match value {
        Some(it) if it.starts_with(b"$2\r\nno\r\n") => "no",
        Some(it) if it.starts_with(b"$3\r\nyes\r\n") => "yes",
        _ => return Vec::new(),
    };
    match engine {
        Engine::Redis => vec![("protected-mode".into(), value.into())],
        _ => Vec::new(),
    }
}

/// Judges an answer from `address`. Whatever is not understood is unknown, never safe.
pub(crate) fn judge(engine: Engine, bytes: &[u8], address: &str) -> Access {
    let asks = |what: &str| Access::Asks { because: format!("{address} {what}") };
    let anyone = |what: &str, account: Option<&str>, admin| Access::Anyone {
        because: format!("{address} {what}"),
        account: account.map(str::to_string),
        admin,
    };
    let starts = |text: &[u8]| bytes.starts_with(text);
    let has = |text: &[u8]| memchr::memmem::find(bytes, text).is_some();
    match engine {
        Engine::Redis if starts(b"+PONG") => {
            anyone("answers commands without a password", None, true)
        }
        Engine::Redis if starts(b"-NOAUTH") => asks("asks for a password"),
        Engine::Redis if starts(b"-DENIED") => asks("refuses strangers in protected mode"),
        Engine::Nats if starts(b"INFO ") => match has(b"\"auth_required\":true") {
            true => asks("requires authentication"),
            false => anyone("requires no authentication", None, true),
        },
        Engine::Mosquitto => match bytes {
            // MQTT 3.1.1 section 3.2: CONNACK with return code.
            [0x20, 0x02, _, 0] => anyone("accepts clients without a name", None, false),
            [0x20, 0x02, _, 4 | 5] => asks("refuses clients without a name"),
            _ => unknown(address),
        },
        Engine::Rabbitmq => match (bytes.get(7..9), bytes.get(9..11)) {
            // Class 10: method 30 is Tune, 50 is Close.
            (Some([0, 10]), Some([0, 30])) => Access::WellKnown {
                because: format!("{address} accepts the login it is delivered with"),
                account: "guest".into(),
            },
            (Some([0, 10]), Some([0, 50])) => asks("refuses the login it is delivered with"),
            _ if bytes.is_empty() => {
                asks("closes the connection on the login it is delivered with")
            }
            _ => unknown(address),
        },
        Engine::Postgresql => match (bytes.first(), bytes.get(5..9)) {
            (Some(b'R'), Some([0, 0, 0, 0])) => {
                anyone("lets `postgres` in without a password", Some("postgres"), true)
            }
            (Some(b'R'), Some(_)) => asks("asks `postgres` for a password"),
            (Some(b'E'), _) => asks("refuses `postgres` from this address"),
            _ => unknown(address),
        },
        Engine::Mariadb => match bytes.first() {
            Some(0) => anyone("lets `root` in without a password", Some("root"), true),
            Some(0xff) => asks("refuses `root` without a password"),
            _ => unknown(address),
        },
        Engine::Memcached if starts(b"VERSION") => {
            anyone("answers commands without a password", None, true)
        }
        Engine::Memcached if starts(b"ERROR") || starts(b"CLIENT_ERROR") => {
            asks("refuses commands")
        }
        Engine::Elasticsearch if has(b" 200 ") => anyone("answers without credentials", None, true),
        Engine::Elasticsearch if has(b" 401 ") || has(b" 403 ") => asks("asks for credentials"),
        _ => unknown(address),
    }
}

fn unknown(address: &str) -> Access {
    Access::Unknown { because: format!("the answer of {address} is not understood") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(engine: Engine, bytes: &[u8], expected: &str) {
        let word = match judge(engine, bytes, "tcp/1") {
            Access::Asks { .. } => "asks",
            Access::Anyone { .. } => "anyone",
            Access::WellKnown { .. } => "well-known",
            Access::Unknown { .. } => "unknown",
        };
        assert_eq!(word, expected);
    }

    #[test]
    fn answers_are_told_apart() {
        check(Engine::Redis, b"+PONG\r\n", "anyone");
        check(Engine::Redis, b"-NOAUTH Authentication required.\r\n", "asks");
        check(Engine::Postgresql, b"R\0\0\0\x08\0\0\0\0", "anyone");
        check(Engine::Postgresql, b"R\0\0\0\x17\0\0\0\x0aSCRAM", "asks");
        check(Engine::Mosquitto, &[0x20, 2, 0, 5], "asks");
        check(Engine::Nats, b"INFO {\"auth_required\":true}", "asks");
        check(Engine::Nats, b"INFO {}", "anyone");
        check(Engine::Memcached, b"", "unknown");
        check(Engine::Rabbitmq, &[1, 0, 0, 0, 0, 0, 12, 0, 10, 0, 30], "well-known");
    }
}
