//! PostgreSQL: where it listens, and the rules of `pg_hba.conf`.

use super::{argument, config};
use crate::reading::{note, text};
use polder_host::{Host, Kind};
use polder_model::facts::{Access, Engine, Server, ServerAccount};
use polder_model::{Problem, printable_str};

/// Reads configuration and rules of a running server.
pub(crate) fn read(host: &dyn Host, command: &str, server: &mut Server) {
    let data = argument(command, &["-D"]);
    let path = argument(command, &["config_file", "--config-file"])
        .or_else(|| data.as_ref().map(|it| format!("{it}/postgresql.conf")));
    server.data_folder = data;
    let Some(path) = path else { return };
    read_config(host, &path, server);
}

fn read_config(host: &dyn Host, path: &str, server: &mut Server) {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder).to_string();
    // Debian's instances are `/etc/postgresql/VERSION/NAME`.
    if let Some(rest) = folder.strip_prefix("/etc/postgresql/") {
        server.instance = printable_str(rest);
    }
    let mut hba = format!("{folder}/pg_hba.conf");
    if let Some(text) = config(host, path, server) {
        for (name, value) in parse_settings(&text) {
            match name.as_str() {
                "hba_file" => hba = value,
                "data_directory" => server.data_folder = Some(value),
                "listen_addresses" | "port" | "password_encryption" | "ssl" | "log_connections" => {
                    server.settings.push((name, value));
                }
                _ => {}
            }
        }
    }
    if let Some(text) = config(host, &hba, server) {
        let (accounts, _) = parse_hba(&text, &hba);
        server.accounts = accounts;
    }
}

/// Instances that are configured but do not run, for a host that is a mere folder.
pub(crate) fn at_rest(host: &dyn Host) -> Vec<Server> {
    let mut servers = Vec::new();
    let folders = |path: &str| {
        let entries = host.list(path.as_ref()).unwrap_or_default();
        let names = entries.into_iter().filter(|it| it.kind == Kind::Folder);
        names.filter_map(|it| it.name.into_string().ok()).collect::<Vec<_>>()
    };
    for version in folders("/etc/postgresql") {
        for name in folders(&format!("/etc/postgresql/{version}")) {
            let mut server = Server {
                engine: Engine::Postgresql,
                instance: printable_str(&format!("{version}/{name}")),
                pid: None,
                user: None,
                addresses: Vec::new(),
                config_files: Vec::new(),
                access: Access::Unknown { because: "it does not run here".into() },
                accounts: Vec::new(),
                settings: Vec::new(),
                data_folder: None,
            };
            let path = format!("/etc/postgresql/{version}/{name}/postgresql.conf");
            if text(host, &path).is_ok() {
                read_config(host, &path, &mut server);
                servers.push(server);
            }
        }
    }
    servers
}

/// `name = value  # comment`, values optionally in single quotes; the last one counts.
fn parse_settings(text: &str) -> Vec<(String, String)> {
    let mut settings: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, rest)) = line.split_once(['=', ' ', '\t']) else { continue };
        let rest = rest.trim_start_matches(['=', ' ', '\t']);
        let value = match rest.strip_prefix('\'') {
            Some(inner) => inner.split('\'').next().unwrap_or_default(),
            None => rest.split(['#', ' ', '\t']).next().unwrap_or_default(),
        };
        let name = name.trim().to_ascii_lowercase();
        settings.retain(|(it, _)| *it != name);
        settings.push((printable_str(&name), printable_str(value)));
    }
    settings
}

/// Reads rules of client authentication: type, database, user, address, method.
pub fn parse_hba(text: &str, file: &str) -> (Vec<ServerAccount>, Vec<Problem>) {
    let mut accounts = Vec::new();
    let mut problems = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let words = split_words(line);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (kind, database, user, rest) = match words[..] {
            [] => continue,
            [kind, database, user, ref rest @ ..] => (kind, database, user, rest),
            _ => {
                note(&mut problems, format!("{file}:{}", index + 1), "a rule that is too short");
                continue;
            }
        };
        let (from, method) = match (kind, rest) {
            ("local", [method, ..]) => ("local socket".to_string(), *method),
            // An address and a mask in two fields.
            (_, [address, mask, method, ..])
                if mask.contains(['.', ':']) && !address.contains('/') =>
            {
                (format!("{address} {mask}"), *method)
            }
            (_, [address, method, ..]) => ((*address).to_string(), *method),
            _ => {
                note(&mut problems, format!("{file}:{}", index + 1), "a rule without a method");
                continue;
            }
        };
        accounts.push(ServerAccount {
            name: printable_str(&format!("{user} on {database}")),
            from: printable_str(&from),
            method: printable_str(method),
            known_from: file.to_string(),
            line: Some(index + 1),
        });
    }
    (accounts, problems)
}

fn split_words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    for character in line.chars() {
        match character {
            '"' => quoted = !quoted,
            '#' if !quoted => break,
            it if it.is_whitespace() && !quoted => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            other => word.push(other),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_have_their_address_and_method() {
        let text = "# TYPE\nlocal all postgres peer\nhost shop web 10.0.0.7/32 scram-sha-256\nhost all all 127.0.0.1 255.255.255.255 trust\nhost x\n";
        let (rules, problems) = parse_hba(text, "hba");
        assert_eq!(rules[0].method, "peer");
        assert_eq!((rules[1].from.as_str(), rules[1].line), ("10.0.0.7/32", Some(3)));
        assert_eq!(rules[2].method, "trust");
        assert_eq!(problems.len(), 1);
    }

    #[test]
    fn the_last_setting_counts() {
        let settings = parse_settings("port = 5432\nlisten_addresses = '*' # all\nport=5433\n");
        assert_eq!(
            settings,
            [("listen_addresses".into(), "*".into()), ("port".into(), "5433".into())]
        );
    }
}
