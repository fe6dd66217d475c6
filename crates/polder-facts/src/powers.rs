//! Who can become whom: sudo and doas rules, polkit rules where they are simple, and groups that are as good as root.

use crate::reading::{files_in, note, shown, text, text_if_there};
use polder_host::Host;
use polder_model::facts::{Facts, SudoCommand, SudoRule, UserPower};
use polder_model::{Coverage, Problem, Table, printable_str};

/// Groups whose members can become root, and how. `staff` and `adm` are not among them.
const ROOT_GROUPS: [(&str, &str); 6] = [
    ("docker", "the Docker socket starts containers that see the whole disk"),
    ("lxd", "the LXD socket starts containers that see the whole disk"),
    ("incus-admin", "the Incus socket starts containers that see the whole disk"),
    ("disk", "raw disks can be read and written"),
    ("kmem", "kernel memory can be read"),
    ("shadow", "password hashes can be read and guessed"),
];

/// Programs that run another program or write a file of the caller's choice (their manuals say how).
const SHELL_GIVING: [&str; 58] = [
    "apt",
    "apt-get",
    "ash",
    "awk",
    "base64",
    "bash",
    "busybox",
    "cat",
    "chmod",
    "chown",
    "cp",
    "cpan",
    "crontab",
    "dash",
    "dd",
    "dmesg",
    "docker",
    "dpkg",
    "ed",
    "emacs",
    "env",
    "expect",
    "find",
    "ftp",
    "gawk",
    "gdb",
    "git",
    "install",
    "journalctl",
    "less",
    "ln",
    "lua",
    "man",
    "mawk",
    "more",
    "mount",
    "mv",
    "mysql",
    "nano",
    "nmap",
    "node",
    "perl",
    "php",
    "pip",
    "python",
    "python3",
    "rsync",
    "ruby",
    "sed",
    "sh",
    "snap",
    "strace",
    "systemctl",
    "tar",
    "tcpdump",
    "tee",
    "vi",
    "vim",
];

/// Ways from one user to another. Needs users, groups and sudo's rules.
pub(crate) fn look(host: &dyn Host, facts: &Facts) -> Table<UserPower> {
    let mut rows = Vec::new();
    let mut problems = Vec::new();
    for rule in &facts.sudo.rows {
        from_rule(facts, rule, "sudo", &mut rows);
    }
    for rule in doas(host, &mut problems) {
        from_rule(facts, &rule, "doas", &mut rows);
    }
    from_groups(facts, &mut rows);
    from_polkit(host, facts, &mut rows);
    rows.sort();
    rows.dedup();
    let coverage = match &facts.sudo.coverage {
        Coverage::Complete | Coverage::NotApplicable { .. } => Coverage::Complete,
        other => Coverage::Partial {
            because: other.because().unwrap_or_default().to_string(),
            root_adds: other.root_adds().map(str::to_string),
        },
    };
    Table::with(coverage, rows).problems(problems)
}

fn from_rule(facts: &Facts, rule: &SudoRule, through: &str, rows: &mut Vec<UserPower>) {
    let host = facts.host_name();
    let short = host.split('.').next().unwrap_or(host);
    let here = |name: &String| matches!(name.as_str(), "ALL") || name == host || name == short;
    if !rule.hosts.iter().any(here) {
        return;
    }
    let users = users_of(facts, &rule.users);
    let positive = rule.commands.iter().filter(|it| !it.command.starts_with('!'));
    for command in positive {
        for target in &command.run_as_users {
            let becomes = match target.as_str() {
                "ALL" | "root" | "#0" => "root".to_string(),
                it if it.starts_with(['!', '%']) => continue,
                it => name_of(facts, it),
            };
            for user in users.iter().filter(|user| **user != becomes) {
                rows.push(UserPower {
                    user: user.clone(),
                    becomes: becomes.clone(),
                    through: through.into(),
                    detail: command.command.clone(),
                    needs_password: !command.no_password,
                    certain: gives_shell(command),
                    file: rule.file.clone(),
                    line: rule.line,
                });
            }
        }
    }
}

fn name_of(facts: &Facts, name: &str) -> String {
    match name.strip_prefix('#').and_then(|uid| uid.parse().ok()) {
        Some(uid) => facts.user_name(uid),
        None => name.to_string(),
    }
}

/// Whether the allowed command is as good as a shell. `ALL` with exceptions still is (sudoers(5)).
fn gives_shell(command: &SudoCommand) -> bool {
    if command.command == "ALL" {
        return true;
    }
    let mut words = command.command.split(' ');
    let program = words.next().unwrap_or_default();
    let arguments: Vec<&str> = words.collect();
    let name = program.rsplit('/').next().unwrap_or_default();
    let bare = name.trim_end_matches(|it: char| it.is_ascii_digit() || it == '.');
    let free = arguments.is_empty() || arguments.iter().any(|it| it.contains('*'));
    let folder = program.ends_with('/') || program.contains('*');
    (free && !command.no_exec && (SHELL_GIVING.contains(&name) || SHELL_GIVING.contains(&bare)))
        || folder
        || command.set_env
}

/// Accounts that a list of users stands for; negated ones are taken out.
fn users_of(facts: &Facts, list: &[String]) -> Vec<String> {
    let mut users: Vec<String> = Vec::new();
    for item in list {
        let (negated, name) = match item.strip_prefix('!') {
            Some(name) => (true, name),
            None => (false, item.as_str()),
        };
        let meant: Vec<String> = if name == "ALL" {
            facts.users.rows.iter().filter(|it| it.uid != 0).map(|it| it.name.clone()).collect()
        } else if let Some(group) = name.strip_prefix('%') {
            let id: Option<u32> = group.strip_prefix('#').and_then(|it| it.parse().ok());
            let group = facts.groups.rows.iter().find(|it| it.name == group || Some(it.gid) == id);
            group.map_or_else(Vec::new, |group| facts.group_members(group))
        } else {
            vec![name_of(facts, name)]
        };
        if negated {
            users.retain(|user| !meant.contains(user));
        } else {
            users.extend(meant);
        }
    }
    users.retain(|user| user != "root");
    users.sort();
    users.dedup();
    users
}

fn from_groups(facts: &Facts, rows: &mut Vec<UserPower>) {
    for (name, how) in ROOT_GROUPS {
        let Some(group) = facts.groups.rows.iter().find(|it| it.name == name) else { continue };
        for user in facts.group_members(group).into_iter().filter(|it| it != "root") {
            rows.push(UserPower {
                user,
                becomes: "root".into(),
                through: "group".into(),
                detail: format!("{name}: {how}"),
                needs_password: false,
                certain: name != "shadow" && name != "kmem",
                file: "/etc/group".into(),
                line: 0,
            });
        }
    }
    for user in facts.users.rows.iter().filter(|user| user.uid == 0 && user.name != "root") {
        rows.push(UserPower {
            user: user.name.clone(),
            becomes: "root".into(),
            through: "user id".into(),
            detail: "user id 0".into(),
            needs_password: false,
            certain: true,
            file: "/etc/passwd".into(),
            line: user.line,
        });
    }
}

/// Rules of polkit that answer yes to a group or user, whatever else they ask.
fn from_polkit(host: &dyn Host, facts: &Facts, rows: &mut Vec<UserPower>) {
    for folder in ["/etc/polkit-1/rules.d", "/usr/share/polkit-1/rules.d"] {
        for path in files_in(host, folder, |name| name.ends_with(".rules")).unwrap_or_default() {
            let Ok(text) = text(host, &path) else { continue };
            for (line, group, action) in parse_polkit(&text) {
                let Some(group) = facts.groups.rows.iter().find(|it| it.name == group) else {
                    continue;
                };
                for user in facts.group_members(group).into_iter().filter(|it| it != "root") {
                    rows.push(UserPower {
                        user,
                        becomes: "root".into(),
                        through: "polkit".into(),
                        detail: action.clone(),
                        needs_password: false,
                        certain: action == "every action",
                        file: shown(&path),
                        line,
                    });
                }
            }
        }
    }
}

/// `polkit.addRule(...)` blocks that name a group and answer yes: line, group and action.
pub fn parse_polkit(text: &str) -> Vec<(usize, String, String)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("polkit.addRule(") {
        let block = text.get(at..).unwrap_or_default();
        let block = block
            .get(1..)
            .and_then(|it| it.find("polkit.addRule("))
            .map_or(block, |end| block.get(..=end).unwrap_or_default());
        if !block.contains("polkit.Result.YES") && !block.contains("return \"yes\"") {
            continue;
        }
        let quoted = |after: &str| {
            let rest = block.split_once(after)?.1.trim_start().trim_start_matches(['(', '=', ' ']);
            let quote = rest.chars().next().filter(|it| matches!(it, '"' | '\''))?;
            rest.get(1..)?.split(quote).next().map(printable_str)
        };
        let Some(group) = quoted("isInGroup") else { continue };
        let action = quoted("action.id.indexOf")
            .or_else(|| quoted("action.id =="))
            .unwrap_or_else(|| "every action".into());
        let line = text.get(..at).unwrap_or_default().matches('\n').count() + 1;
        found.push((line, group, action));
    }
    found
}

fn doas(host: &dyn Host, problems: &mut Vec<Problem>) -> Vec<SudoRule> {
    let path = "/etc/doas.conf";
    match text_if_there(host, path) {
        Ok(Some(text)) => {
            let (rules, mut bad) = parse_doas(&text, path);
            problems.append(&mut bad);
            rules
        }
        Ok(None) => Vec::new(),
        Err(error) => {
            note(problems, path, error.to_string());
            Vec::new()
        }
    }
}

/// Reads `permit|deny [options] identity [as target] [cmd command [args ...]]` (doas.conf(5)).
pub fn parse_doas(text: &str, file: &str) -> (Vec<SudoRule>, Vec<Problem>) {
    let mut rules = Vec::new();
    let mut problems = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let mut words = line.split_ascii_whitespace().peekable();
        match words.next() {
            None | Some("deny") => continue,
            Some("permit") => {}
            Some(_) => {
                note(&mut problems, format!("{file}:{}", index + 1), "neither permit nor deny");
                continue;
            }
        }
        let (mut no_password, mut set_env) = (false, false);
        while let Some(word) =
            words.next_if(|it| matches!(*it, "nopass" | "persist" | "keepenv" | "nolog" | "setenv"))
        {
            no_password |= word == "nopass";
            set_env |= word == "keepenv";
            if word == "setenv" {
                while words.next().is_some_and(|it| !it.ends_with('}')) {}
            }
        }
        let Some(identity) = words.next() else {
            note(&mut problems, format!("{file}:{}", index + 1), "a rule for nobody");
            continue;
        };
        let user = match identity.strip_prefix(':') {
            Some(group) => format!("%{group}"),
            None => identity.to_string(),
        };
        let mut target = "ALL".to_string();
        let mut command = "ALL".to_string();
        while let Some(word) = words.next() {
            match word {
                "as" => target = words.next().unwrap_or("root").to_string(),
                "cmd" => {
                    command = words.next().unwrap_or_default().to_string();
                    for word in words.by_ref().filter(|it| *it != "args") {
                        command.push(' ');
                        command.push_str(word);
                    }
                }
                _ => {}
            }
        }
        rules.push(SudoRule {
            file: file.into(),
            line: index + 1,
            users: vec![printable_str(&user)],
            hosts: vec!["ALL".into()],
            commands: vec![SudoCommand {
                run_as_users: vec![printable_str(&target)],
                run_as_groups: Vec::new(),
                no_password,
                no_exec: false,
                set_env,
                command: printable_str(&command),
            }],
        });
    }
    (rules, problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doas_rules_are_read() {
        let (rules, problems) = parse_doas(
            "permit nopass :wheel\npermit setenv { A=b C } ada as www cmd /bin/x args -v\nwhat\n",
            "d",
        );
        assert_eq!(rules[0].users, ["%wheel"]);
        assert!(rules[0].commands[0].no_password);
        assert_eq!(rules[1].commands[0].command, "/bin/x -v");
        assert_eq!(rules[1].commands[0].run_as_users, ["www"]);
        assert_eq!(problems.len(), 1);
    }

    #[test]
    fn a_polkit_rule_that_says_yes_to_a_group_is_found() {
        let text = "\npolkit.addRule(function(action, subject) {\n  if (action.id == \"org.x\" && subject.isInGroup(\"ops\")) { return polkit.Result.YES; }\n});\n";
        assert_eq!(parse_polkit(text), [(2, "ops".to_string(), "org.x".to_string())]);
    }
}
