//! The SSH server: its effective settings, and the keys that may log in.

use crate::reading::{files_in, note, shown, text};
use polder_host::{Host, HostError, Program};
use polder_model::facts::{AuthorizedKey, SshSetting, User};
use polder_model::{Coverage, Problem, Table, printable_str};
use std::path::Path;

/// Deepest nesting of `Include`; OpenSSH's own limit is 16.
const INCLUDES_MAX: usize = 16;

/// Defaults of OpenSSH for what is judged (sshd_config(5)).
const DEFAULTS: [(&str, &str); 8] = [
    ("port", "22"),
    ("permitrootlogin", "prohibit-password"),
    ("passwordauthentication", "yes"),
    ("kbdinteractiveauthentication", "yes"),
    ("pubkeyauthentication", "yes"),
    ("permitemptypasswords", "no"),
    ("maxauthtries", "6"),
    ("x11forwarding", "no"),
];

/// Effective settings: the program's own answer, or what its files say.
pub fn look(host: &dyn Host) -> Table<SshSetting> {
    let config = Path::new("/etc/ssh/sshd_config");
    let output = host.run(Program::SshdEffective);
    if let Ok(output) = &output
        && output.code == Some(0)
    {
        return Table::complete(parse_effective(&output.stdout));
    }
    let mut settings = Vec::new();
    let mut problems = Vec::new();
    match read_config(host, config, 0, &mut settings, &mut problems) {
        Ok(()) => {}
        Err(error) if error.is_not_found() => {
            let coverage = match host.stat("/usr/sbin/sshd".as_ref()) {
                Ok(_) => Coverage::not_looked("sshd is installed but has no `sshd_config`"),
                Err(_) => Coverage::not_applicable("no OpenSSH server is installed"),
            };
            return Table::with(coverage, Vec::new());
        }
        Err(error) => {
            let coverage = crate::reading::not_looked(&error, "the settings of the SSH server");
            return Table::with(coverage, Vec::new());
        }
    }
    for (name, value) in DEFAULTS {
        if !settings.iter().any(|it| it.name == name) {
            let known_from = "default of OpenSSH".to_string();
            settings.push(SshSetting { name: name.into(), value: value.into(), known_from });
        }
    }
    let because = match output {
        Ok(output) => format!("`sshd -T` failed ({}); its files were read instead", output.stderr),
        Err(error) => {
            format!("`sshd -T` could not be asked ({}); its files were read", error.because)
        }
    };
    let root_adds = (host.identity().uid != 0).then(|| "sshd's own answer".to_string());
    Table::with(Coverage::Partial { because, root_adds }, settings).problems(problems)
}

/// Reads the output of `sshd -T`: a name in lower case and its value on each line.
pub fn parse_effective(text: &str) -> Vec<SshSetting> {
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, value)| SshSetting {
            name: printable_str(name),
            value: printable_str(value),
            known_from: "sshd -T".into(),
        })
        .collect()
}

fn read_config(
    host: &dyn Host,
    path: &Path,
    depth: usize,
    settings: &mut Vec<SshSetting>,
    problems: &mut Vec<Problem>,
) -> Result<(), HostError> {
    let text = text(host, path)?;
    let file = shown(path);
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = line.split_once([' ', '\t', '=']).unwrap_or((line, ""));
        let name = name.to_ascii_lowercase();
        let value = value.trim().trim_matches('"');
        match name.as_str() {
            // What follows holds for some connections only.
            "match" => {
                let says = "settings in `Match` blocks are not judged";
                note(problems, format!("{file}:{}", index + 1), says);
                break;
            }
            "include" if depth < INCLUDES_MAX => {
                for pattern in value.split_ascii_whitespace() {
                    for path in expand(host, pattern)? {
                        read_config(host, &path, depth + 1, settings, problems)?;
                    }
                }
            }
            // The first value wins.
            _ if settings.iter().any(|it| it.name == name) && name != "port" => {}
            _ => settings.push(SshSetting {
                name: printable_str(&name),
                value: printable_str(value),
                known_from: format!("{file}:{}", index + 1),
            }),
        }
    }
    Ok(())
}

/// Files for a pattern such as `/etc/ssh/sshd_config.d/*.conf`.
fn expand(host: &dyn Host, pattern: &str) -> Result<Vec<std::path::PathBuf>, HostError> {
    let path = Path::new("/etc/ssh").join(pattern);
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|it| it.to_str()))
    else {
        return Ok(Vec::new());
    };
    files_in(host, folder, |it| crate::apt::pins::glob(name, it))
}

/// Keys in the homes of all users.
pub fn look_keys(host: &dyn Host, users: &[User]) -> Table<AuthorizedKey> {
    let mut rows = Vec::new();
    let mut problems = Vec::new();
    let mut denied = 0;
    for user in users.iter().filter(|user| user.home.len() > 1 && user.home != "/nonexistent") {
        for name in ["authorized_keys", "authorized_keys2"] {
            let path = format!("{}/.ssh/{name}", user.home.trim_end_matches('/'));
            match text(host, &path) {
                Ok(text) => {
                    let (mut keys, mut bad) = parse_authorized_keys(&text, &user.name, &path);
                    rows.append(&mut keys);
                    problems.append(&mut bad);
                }
                Err(error) if error.is_denied() => denied += 1,
                Err(_) => {}
            }
        }
    }
    // Accounts may share a home, and then their keys.
    rows.sort_by(|a, b| (&a.user, &a.file, a.line).cmp(&(&b.user, &b.file, b.line)));
    let coverage = match denied {
        0 => Coverage::Complete,
        _ => Coverage::needs_root("some homes cannot be read", "keys that may log in to them"),
    };
    Table::with(coverage, rows).problems(problems)
}

/// Reads `[options] type digest digest`: the door has replaced key and comment by digests.
pub fn parse_authorized_keys(
    text: &str,
    user: &str,
    file: &str,
) -> (Vec<AuthorizedKey>, Vec<Problem>) {
    let mut keys = Vec::new();
    let mut problems = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut words = line.rsplitn(3, ' ');
        let (comment, key, rest) = (words.next(), words.next(), words.next());
        let (Some(comment), Some(key), Some(rest)) = (comment, key, rest) else {
            note(&mut problems, format!("{file}:{}", index + 1), "not a key");
            continue;
        };
        let (options, kind) = rest.rsplit_once(' ').unwrap_or(("", rest));
        keys.push(AuthorizedKey {
            user: user.to_string(),
            file: printable_str(file),
            line: index + 1,
            kind: printable_str(kind),
            options: split_options(options),
            key_digest: printable_str(key),
            comment_digest: printable_str(comment),
        });
    }
    (keys, problems)
}

fn split_options(text: &str) -> Vec<String> {
    let mut options = Vec::new();
    let mut option = String::new();
    let mut quoted = false;
    for character in text.chars() {
        match character {
            '"' => {
                quoted = !quoted;
                option.push(character);
            }
            ',' if !quoted => options.push(std::mem::take(&mut option)),
            other => option.push(other),
        }
    }
    options.push(option);
    options.iter().map(|it| printable_str(it.trim())).filter(|it| !it.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use polder_host::RecordedHost;

    #[test]
    fn the_first_value_wins_and_includes_are_followed() {
        let host = RecordedHost::of_files([
            (
                "/etc/ssh/sshd_config",
                "Include /etc/ssh/sshd_config.d/*.conf\nPasswordAuthentication yes\nMatch User x\nPermitRootLogin yes\n",
            ),
            ("/etc/ssh/sshd_config.d/10.conf", "PasswordAuthentication no\n"),
        ]);
        let table = look(&host);
        let get = |name: &str| table.rows.iter().find(|it| it.name == name).unwrap().value.clone();
        assert_eq!(get("passwordauthentication"), "no");
        assert_eq!(get("permitrootlogin"), "prohibit-password");
    }

    #[test]
    fn keys_have_options_but_no_material() {
        let host = RecordedHost::of_files([(
            "/root/.ssh/authorized_keys",
            "from=\"192.0.2.1,192.0.2.2\",no-pty ssh-ed25519 AAAAC3Nz ada@laptop\n",
        )]);
        let (users, _) = crate::users::parse_passwd("root:x:0:0::/root:/bin/bash\n");
        let table = look_keys(&host, &users);
        assert_eq!(table.rows[0].kind, "ssh-ed25519");
        assert_eq!(table.rows[0].options, ["from=\"192.0.2.1,192.0.2.2\"", "no-pty"]);
        assert_eq!(table.rows[0].key_digest.len(), 16);
    }
}
