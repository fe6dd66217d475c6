//! Settings that matter of the servers with one configuration file.

use super::{argument, config};
use polder_host::{Host, redact};
use polder_model::facts::{Access, Engine, Server};
use polder_model::printable_str;

/// What is read of each engine: files, and names of settings.
fn known(engine: Engine) -> (&'static [&'static str], &'static [&'static str]) {
    match engine {
        Engine::Redis => (
            &["/etc/redis/redis.conf", "/etc/redis.conf", "/etc/valkey/valkey.conf"],
            &["bind", "protected-mode", "requirepass", "dir", "port", "aclfile"],
        ),
        Engine::Rabbitmq => (
            &["/etc/rabbitmq/rabbitmq.conf"],
            &["loopback_users", "loopback_users.guest", "default_user", "listeners.tcp.default"],
        ),
        Engine::Nats => (
            &["/etc/nats-server.conf", "/etc/nats/nats-server.conf"],
            &["authorization", "accounts", "listen"],
        ),
        Engine::Mosquitto => (
            &["/etc/mosquitto/mosquitto.conf"],
            &["allow_anonymous", "listener", "password_file", "acl_file", "persistence_location"],
        ),
        Engine::Memcached => (&["/etc/memcached.conf"], &["-l", "-U", "-S"]),
        Engine::Mongodb => (&["/etc/mongod.conf"], &["authorization", "bindIp", "dbPath"]),
        Engine::Elasticsearch => (
            &["/etc/elasticsearch/elasticsearch.yml", "/etc/opensearch/opensearch.yml"],
            &["xpack.security.enabled", "network.host", "path.data"],
        ),
        Engine::Postgresql | Engine::Mariadb => (&[], &[]),
    }
}

/// Reads the file named on the command line, else the usual ones.
pub(crate) fn read(host: &dyn Host, command: &str, server: &mut Server) {
    let (files, names) = known(server.engine);
    let named = argument(command, &["-c", "--config", "-config"]).or_else(|| {
        command
            .split(' ')
            .find(|it| it.ends_with(".conf") && it.starts_with('/'))
            .map(str::to_string)
    });
    let files: Vec<String> = match named {
        Some(file) => vec![file],
        None => files.iter().map(|it| (*it).to_string()).collect(),
    };
    for file in files {
        let Some(text) = config(host, &file, server) else { continue };
        for line in text.lines().map(str::trim).filter(|it| !it.starts_with('#')) {
            let (name, value) = line.split_once(['=', ':', ' ', '\t']).unwrap_or((line, ""));
            let (name, value) = (name.trim(), value.trim().trim_matches(['"', '\'']));
            if !names.contains(&name) {
                continue;
            }
            // The door has hidden the value; that there is one is all that matters.
            let value =
                redact::class_in(value).map_or_else(|| printable_str(value), |_| "set".into());
            if matches!(name, "dir" | "persistence_location" | "dbPath" | "path.data") {
                server.data_folder = Some(value.clone());
            }
            server.settings.push((name.to_string(), value));
        }
    }
    if server.engine == Engine::Nats {
        server.data_folder =
            argument(command, &["-sd", "--store_dir"]).or(server.data_folder.take());
    }
    if server.engine == Engine::Redis {
        server.data_folder = argument(command, &["--dir"]).or(server.data_folder.take());
    }
    if server.engine == Engine::Mongodb {
        server.access = mongodb(server);
    }
}

/// MongoDB lets everyone do everything unless `security.authorization` is on.
fn mongodb(server: &Server) -> Access {
    let file = server.config_files.first().cloned().unwrap_or_default();
    match server.settings.iter().find(|(name, _)| name == "authorization") {
        Some((_, value)) if value == "enabled" => {
            Access::Asks { because: format!("`{file}` turns authorization on") }
        }
        _ if file.is_empty() => {
            Access::Unknown { because: "its configuration was not found".into() }
        }
        _ => Access::Anyone {
            because: format!("`{file}` does not turn authorization on"),
            account: None,
            admin: true,
        },
    }
}
