//! MariaDB and MySQL: bind address, and accounts as the server itself lists them when it may be asked.

use super::config;
use crate::reading::files_in;
use polder_host::{Host, Program};
use polder_model::facts::{Server, ServerAccount};
use polder_model::printable_str;

/// Reads settings and accounts.
pub(crate) fn read(host: &dyn Host, server: &mut Server) {
    let mut files = vec!["/etc/mysql/my.cnf".to_string(), "/etc/my.cnf".to_string()];
    for folder in ["/etc/mysql/conf.d", "/etc/mysql/mariadb.conf.d", "/etc/my.cnf.d"] {
        let found = files_in(host, folder, |name| name.ends_with(".cnf")).unwrap_or_default();
        files.extend(found.iter().map(|path| crate::reading::shown(path)));
    }
    for path in files {
        let Some(text) = config(host, &path, server) else { continue };
        for line in text.lines().map(str::trim) {
            let Some((name, value)) = line.split_once('=') else { continue };
            let name = name.trim().replace('_', "-");
            let value = printable_str(value.split('#').next().unwrap_or_default().trim());
            if name == "datadir" {
                server.data_folder = Some(value);
            } else if matches!(name.as_str(), "bind-address" | "skip-networking" | "port") {
                server.settings.retain(|(it, _)| *it != name);
                server.settings.push((name, value));
            }
        }
    }
    if let Ok(output) = host.run(Program::MariadbAccounts)
        && output.code == Some(0)
    {
        server.accounts = parse_accounts(&output.stdout);
    }
}

/// Reads `user TAB host TAB plugin TAB state`, where the state is empty, `invalid` or `set`.
fn parse_accounts(text: &str) -> Vec<ServerAccount> {
    text.lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            let [user, from, plugin, state] = fields[..] else { return None };
            let by_password = matches!(
                plugin,
                "" | "mysql_native_password"
                    | "caching_sha2_password"
                    | "ed25519"
                    | "sha256_password"
            );
            let method = match (by_password, state) {
                (true, "") => "none".to_string(),
                (true, "invalid") => "locked".to_string(),
                (true, _) => "password".to_string(),
                (false, _) => printable_str(plugin),
            };
            Some(ServerAccount {
                name: printable_str(user),
                from: printable_str(from),
                method,
                known_from: Program::MariadbAccounts.shown().into(),
                line: None,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_without_a_password_is_seen() {
        let accounts = parse_accounts(
            "root\tlocalhost\tunix_socket\tinvalid\nweb\t%\tmysql_native_password\t\nx\n",
        );
        assert_eq!(accounts[0].method, "unix_socket");
        assert_eq!((accounts[1].method.as_str(), accounts[1].from.as_str()), ("none", "%"));
        assert_eq!(accounts.len(), 2);
    }
}
