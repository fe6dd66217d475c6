//! What stands around the program and says how servers of databases are connected to: the environment, users, the home folder.

use polder_access::Ambient;
use std::collections::BTreeMap;

/// As clients would find it; read anew, since nobody else may keep secrets of it.
pub(crate) fn ambient() -> Ambient {
    let variables: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| {
            ["PG", "MYSQL", "MARIADB", "REDIS"].iter().any(|it| name.starts_with(it))
        })
        .collect();
    let users: BTreeMap<String, (u32, u32)> = std::fs::read_to_string("/etc/passwd")
        .unwrap_or_default()
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?.to_string();
            let uid = fields.nth(1)?.parse().ok()?;
            Some((name, (uid, fields.next()?.parse().ok()?)))
        })
        .collect();
    let groups: BTreeMap<u32, Vec<String>> = std::fs::read_to_string("/etc/group")
        .unwrap_or_default()
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(':').skip(2);
            let gid = fields.next()?.parse().ok()?;
            let members = fields.next()?.split(',').filter(|it| !it.is_empty());
            Some((gid, members.map(str::to_string).collect()))
        })
        .collect();
    let own = rustix::process::geteuid().as_raw();
    let own_name = users.iter().find(|(_, it)| it.0 == own).map(|(name, _)| name.clone());
    // Root administers PostgreSQL as the user `postgres`: there is no role `root`.
    let user = match own {
        0 => Some("postgres".to_string()).filter(|it| users.contains_key(it)),
        _ => own_name,
    };
    Ambient { variables, home: std::env::home_dir(), user, users, groups }
}
