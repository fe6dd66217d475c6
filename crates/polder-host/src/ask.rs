//! Harmless greetings to the host's own services: does it let somebody in without a secret?
//!
//! One connection each, to an address of this host; nothing is read or changed behind the greeting.

use crate::{ErrorKind, HostError};
use serde::{Deserialize, Serialize};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longest wait for one answer; loopback answers within a few milliseconds.
const WAIT: Duration = Duration::from_millis(700);

/// Most bytes taken from one answer.
const ANSWER_BYTES_MAX: usize = 4096;

/// A greeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Handshake {
    /// `PING` of Redis without a password.
    Redis,
    /// The line `INFO` that NATS sends by itself.
    Nats,
    /// `CONNECT` of MQTT 3.1.1 without a name.
    Mqtt,
    /// Login as `guest` with the password `guest`, which RabbitMQ is delivered with.
    Amqp,
    /// Start-up message of PostgreSQL as `postgres`; its answer names the authentication asked for.
    Postgres,
    /// Login of MySQL as `root` with an empty password.
    Mysql,
    /// `version` of memcached.
    Memcached,
    /// `GET /` without credentials.
    Http,
}

/// A greeting to one address of this host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ask {
    /// Which greeting.
    pub handshake: Handshake,
    /// Address and port.
    pub address: SocketAddr,
}

impl Ask {
    /// The address as people write it.
    pub fn shown(&self) -> String {
        format!("tcp/{}", self.address)
    }
}

/// Sends the greeting and returns the answer that tells.
pub(crate) fn ask(ask: &Ask) -> Result<Vec<u8>, HostError> {
    let failed = |error: std::io::Error| {
        let kind = match error.kind() {
            std::io::ErrorKind::TimedOut | std::io::ErrorKind::WouldBlock => ErrorKind::TooSlow,
            _ => ErrorKind::Other,
        };
        HostError::new(kind, ask.shown(), error.to_string())
    };
    let mut stream = TcpStream::connect_timeout(&ask.address, WAIT).map_err(failed)?;
    stream.set_read_timeout(Some(WAIT)).map_err(failed)?;
    stream.set_write_timeout(Some(WAIT)).map_err(failed)?;
    greet(&mut stream, ask.handshake).map_err(failed)
}

fn greet(stream: &mut TcpStream, handshake: Handshake) -> std::io::Result<Vec<u8>> {
    match handshake {
        Handshake::Redis => exchange(stream, b"PING\r\nCONFIG GET protected-mode\r\n"),
        Handshake::Nats => receive(stream),
        Handshake::Mqtt => {
            // MQTT 3.1.1 section 3.1: protocol name, level 4, clean session, 10 s, client `polder`.
            let answer = exchange(stream, b"\x10\x12\x00\x04MQTT\x04\x02\x00\x0a\x00\x06polder")?;
            let _ = stream.write_all(b"\xe0\x00");
            Ok(answer)
        }
        Handshake::Amqp => greet_amqp(stream),
        Handshake::Postgres => {
            let answer = exchange(stream, &postgres_startup())?;
            let _ = stream.write_all(b"X\x00\x00\x00\x04");
            Ok(answer)
        }
        Handshake::Mysql => greet_mysql(stream),
        Handshake::Memcached => exchange(stream, b"version\r\n"),
        Handshake::Http => exchange(stream, b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n"),
    }
}

fn exchange(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(bytes)?;
    receive(stream)
}

fn receive(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut buffer = vec![0; ANSWER_BYTES_MAX];
    let count = stream.read(&mut buffer)?;
    buffer.truncate(count);
    Ok(buffer)
}

/// Start-up packet of PostgreSQL protocol 3.0 (manual, "Message Formats").
fn postgres_startup() -> Vec<u8> {
    let body = b"\x00\x03\x00\x00user\x00postgres\x00database\x00postgres\x00\x00";
    let length = u32::try_from(body.len() + 4).unwrap_or(0);
    [&length.to_be_bytes()[..], body].concat()
}

/// AMQP 0-9-1: header, `Connection.Start`, `Connection.StartOk` with PLAIN, then Tune or Close.
fn greet_amqp(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    exchange(stream, b"AMQP\x00\x00\x09\x01")?;
    let mut method = Vec::new();
    method.extend_from_slice(b"\x00\x0a\x00\x0b\x00\x00\x00\x00\x05PLAIN");
    method.extend_from_slice(b"\x00\x00\x00\x0c\x00guest\x00guest\x05en_US");
    let mut frame = vec![1, 0, 0];
    frame.extend_from_slice(&u32::try_from(method.len()).unwrap_or(0).to_be_bytes());
    frame.extend_from_slice(&method);
    frame.push(0xce);
    exchange(stream, &frame)
}

/// MySQL protocol 4.1: greeting, login as root with an empty answer, perhaps a change of plugin.
fn greet_mysql(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let greeting = receive(stream)?;
    if greeting.get(4) == Some(&0xff) {
        return Ok(greeting.get(4..).unwrap_or_default().to_vec());
    }
    let mut login = Vec::new();
    // PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH; 16 MiB packets; utf8mb3.
    login.extend_from_slice(&0x0008_8200_u32.to_le_bytes());
    login.extend_from_slice(&0x0100_0000_u32.to_le_bytes());
    login.push(33);
    login.extend_from_slice(&[0; 23]);
    login.extend_from_slice(b"root\x00\x00mysql_native_password\x00");
    let mut packet = u32::try_from(login.len()).unwrap_or(0).to_le_bytes()[..3].to_vec();
    packet.push(1);
    packet.extend_from_slice(&login);
    let mut answer = exchange(stream, &packet)?;
    if answer.get(4) == Some(&0xfe) {
        let sequence = answer.get(3).copied().unwrap_or(2).wrapping_add(1);
        answer = exchange(stream, &[0, 0, 0, sequence])?;
    }
    let _ = stream.write_all(b"\x01\x00\x00\x00\x01");
    Ok(answer.get(4..).unwrap_or_default().to_vec())
}
