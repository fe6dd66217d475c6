//! Database and broker servers: which are present, where they listen, whom they let in.
//!
//! The server's own answer to a harmless greeting counts most; its configuration says the rest.

mod answers;
mod mariadb;
mod postgresql;
mod settings;

pub use postgresql::parse_hba;

use crate::reading::text;
use polder_host::{Ask, Host};
use polder_model::facts::{Access, Engine, Facts, Listener, Process, Protocol, Server};
use polder_model::{Coverage, Table};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A server program by the name of its executable or process.
const PROGRAMS: [(&str, Engine); 17] = [
    ("postgres", Engine::Postgresql),
    ("mariadbd", Engine::Mariadb),
    ("mysqld", Engine::Mariadb),
    ("redis-server", Engine::Redis),
    ("redis-check-rdb", Engine::Redis),
    ("valkey-server", Engine::Redis),
    ("beam.smp", Engine::Rabbitmq),
    ("nats-server", Engine::Nats),
    ("mosquitto", Engine::Mosquitto),
    ("memcached", Engine::Memcached),
    ("mongod", Engine::Mongodb),
    ("elasticsearch", Engine::Elasticsearch),
    ("opensearch", Engine::Elasticsearch),
    ("gnatsd", Engine::Nats),
    ("keydb-server", Engine::Redis),
    ("mysqld-debug", Engine::Mariadb),
    ("mongos", Engine::Mongodb),
];

/// Port each engine uses unless told otherwise.
fn default_port(engine: Engine) -> u16 {
    match engine {
        Engine::Postgresql => 5432,
        Engine::Mariadb => 3306,
        Engine::Redis => 6379,
        Engine::Rabbitmq => 5672,
        Engine::Nats => 4222,
        Engine::Mosquitto => 1883,
        Engine::Memcached => 11211,
        Engine::Mongodb => 27017,
        Engine::Elasticsearch => 9200,
    }
}

/// Needs processes and listeners.
pub fn look(host: &dyn Host, facts: &Facts) -> Table<Server> {
    let mut rows = Vec::new();
    for process in &facts.processes.rows {
        let Some(engine) = engine_of(process) else { continue };
        let is_child =
            facts.process(process.parent).is_some_and(|it| engine_of(it) == Some(engine));
        if is_child {
            continue;
        }
        rows.push(running(host, facts, process, engine));
    }
    if !host.identity().running {
        rows.extend(postgresql::at_rest(host));
    }
    rows.sort_by_key(Server::id);
    rows.dedup_by_key(|it| it.id());
    let coverage = match &facts.processes.coverage {
        Coverage::NotLooked { because, root_adds } => {
            Coverage::NotLooked { because: because.clone(), root_adds: root_adds.clone() }
        }
        Coverage::NotApplicable { because } => Coverage::partial(because.clone()),
        _ => Coverage::Complete,
    };
    Table::with(coverage, rows)
}

fn engine_of(process: &Process) -> Option<Engine> {
    let executable = process.executable.as_deref().and_then(|it| it.rsplit('/').next());
    let by = |name: &str| PROGRAMS.iter().find(|(it, _)| *it == name).map(|(_, engine)| *engine);
    let engine = executable.and_then(by).or_else(|| by(&process.name))?;
    // Erlang runs many programs, Java and its search engines are known by their arguments.
    let is_rabbit = || process.command.contains("rabbit");
    (engine != Engine::Rabbitmq || is_rabbit()).then_some(engine)
}

fn running(host: &dyn Host, facts: &Facts, process: &Process, engine: Engine) -> Server {
    let listeners = listeners_of(facts, process, engine);
    let port = port_of(&listeners, engine);
    let mut server = Server {
        engine,
        instance: port.map_or_else(|| "local".into(), |port| port.to_string()),
        pid: Some(process.pid),
        user: Some(facts.user_name(process.uid_effective)),
        addresses: listeners
            .iter()
            .map(|it| match it.protocol {
                Protocol::Unix => it.address.clone(),
                _ => format!("{}/{}", it.protocol.family_free(), socket_of(it)),
            })
            .collect(),
        config_files: Vec::new(),
        access: Access::Unknown { because: "it was not asked".into() },
        accounts: Vec::new(),
        settings: Vec::new(),
        data_folder: None,
    };
    server.addresses.sort();
    let answer = port.and_then(|port| {
        let listener =
            listeners.iter().find(|it| it.port == port && it.protocol != Protocol::Unix)?;
        Some((ask_of(engine, listener)?, listener))
    });
    server.access = match answer {
        Some((ask, _)) => match host.ask(&ask) {
            Ok(bytes) => {
                server.settings.extend(answers::settings(engine, &bytes));
                answers::judge(engine, &bytes, &ask.shown())
            }
            Err(error) => Access::Unknown { because: error.to_string() },
        },
        None if listeners.iter().all(|it| it.protocol == Protocol::Unix) => {
            Access::Unknown { because: "it listens on no TCP port that is known".into() }
        }
        None => Access::Unknown { because: "there is no greeting for it".into() },
    };
    match engine {
        Engine::Postgresql => postgresql::read(host, &process.command, &mut server),
        Engine::Mariadb => mariadb::read(host, &mut server),
        _ => settings::read(host, &process.command, &mut server),
    }
    server
}

fn socket_of(listener: &Listener) -> String {
    match listener.address.contains(':') {
        true => format!("[{}]:{}", listener.address, listener.port),
        false => format!("{}:{}", listener.address, listener.port),
    }
}

/// Listeners of a process or its children; by user and port where sockets cannot be matched.
fn listeners_of<'a>(facts: &'a Facts, process: &Process, engine: Engine) -> Vec<&'a Listener> {
    let children: Vec<u32> = facts
        .processes
        .rows
        .iter()
        .filter(|it| it.parent == process.pid && engine_of(it) == Some(engine))
        .map(|it| it.pid)
        .collect();
    let holds = |it: &&Listener| {
        it.pids.contains(&process.pid) || it.pids.iter().any(|pid| children.contains(pid))
    };
    let held: Vec<&Listener> = facts.listeners.rows.iter().filter(holds).collect();
    if !held.is_empty() {
        return held;
    }
    facts
        .listeners
        .rows
        .iter()
        .filter(|it| it.pids.is_empty() && it.uid == process.uid_effective)
        .filter(|it| it.port == default_port(engine) && it.protocol != Protocol::Unix)
        .collect()
}

fn port_of(listeners: &[&Listener], engine: Engine) -> Option<u16> {
    let tcp: Vec<u16> = listeners
        .iter()
        .filter(|it| matches!(it.protocol, Protocol::Tcp | Protocol::Tcp6))
        .map(|it| it.port)
        .collect();
    if tcp.contains(&default_port(engine)) {
        return Some(default_port(engine));
    }
    // Management and clustering ports of RabbitMQ and Erlang speak other protocols.
    tcp.into_iter().find(|port| !matches!(port, 25672 | 15672 | 15692 | 4369 | 9300))
}

fn ask_of(engine: Engine, listener: &Listener) -> Option<Ask> {
    let handshake = answers::handshake(engine)?;
    let address: IpAddr = listener.address.parse().ok()?;
    let address = match address {
        IpAddr::V4(it) if it.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(it) if it.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        other => other,
    };
    Some(Ask { handshake, address: SocketAddr::new(address, listener.port) })
}

/// The value after one of these flags on a command line.
pub(crate) fn argument(command: &str, flags: &[&str]) -> Option<String> {
    let mut words = command.split(' ').filter(|it| !it.is_empty());
    while let Some(word) = words.next() {
        for flag in flags {
            if word == *flag {
                return words.next().map(str::to_string);
            }
            if let Some(value) = word.strip_prefix(flag).and_then(|it| it.strip_prefix('=')) {
                return Some(value.to_string());
            }
        }
    }
    None
}

/// A configuration file as text, noted on the server.
pub(crate) fn config(host: &dyn Host, path: &str, server: &mut Server) -> Option<String> {
    let text = text(host, path).ok()?;
    server.config_files.push(path.to_string());
    Some(text)
}
