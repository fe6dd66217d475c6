//! Output of `iptables-save` and `ip6tables-save` (iptables-extensions(8)).

use crate::reading::note;
use polder_model::facts::FirewallRule;
use polder_model::{Problem, printable_str};

/// Reads tables, chains with their policies, and rules. `engine` is `iptables` or `ip6tables`.
pub fn parse_save(text: &str, engine: &str) -> (Vec<FirewallRule>, Vec<Problem>) {
    let family = if engine == "ip6tables" { "ip6" } else { "ip" };
    let mut rules: Vec<FirewallRule> = Vec::new();
    let mut problems = Vec::new();
    let mut table = String::new();
    for (index, line) in text.lines().enumerate() {
        let place = || format!("{engine}-save:{}", index + 1);
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || line == "COMMIT" {
            continue;
        }
        if let Some(name) = line.strip_prefix('*') {
            table = printable_str(name);
        } else if let Some(rest) = line.strip_prefix(':') {
            let mut words = rest.split(' ');
            let (Some(chain), Some(policy)) = (words.next(), words.next()) else {
                note(&mut problems, place(), "a chain without a policy");
                continue;
            };
            let mut rule = blank(engine, family, &table, chain);
            rule.hook = hook_of(chain).into();
            rule.policy = if policy == "-" { String::new() } else { policy.to_ascii_lowercase() };
            rule.priority = priority_of(&table);
            rule.text = printable_str(line);
            rules.push(rule);
        } else if let Some(rest) = line.strip_prefix("-A ") {
            let words = split_words(rest);
            let mut words = words.iter().map(String::as_str);
            let chain = words.next().unwrap_or_default();
            let mut rule = blank(engine, family, &table, chain);
            rule.text = printable_str(line);
            read_matches(words, &mut rule);
            rules.push(rule);
        } else {
            note(&mut problems, place(), "neither a table, a chain nor a rule");
        }
    }
    (rules, problems)
}

fn blank(engine: &str, family: &str, table: &str, chain: &str) -> FirewallRule {
    FirewallRule {
        engine: engine.into(),
        family: family.into(),
        table: table.into(),
        chain: printable_str(chain),
        ..FirewallRule::default()
    }
}

fn hook_of(chain: &str) -> &'static str {
    match chain {
        "INPUT" => "input",
        "PREROUTING" => "prerouting",
        "FORWARD" => "forward",
        "OUTPUT" => "output",
        "POSTROUTING" => "postrouting",
        _ => "",
    }
}

/// Order of the tables on a hook (linux/netfilter_ipv4.h).
fn priority_of(table: &str) -> i64 {
    match table {
        "raw" => -300,
        "mangle" => -150,
        "nat" => -100,
        "security" => 50,
        _ => 0,
    }
}

/// Words as a shell splits them: quotes and backslashes.
fn split_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let (mut quoted, mut open) = (false, false);
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => {
                quoted = !quoted;
                open = true;
            }
            '\\' => word.extend(characters.next()),
            ' ' if !quoted => {
                if open || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                open = false;
            }
            other => word.push(other),
        }
    }
    if open || !word.is_empty() {
        words.push(word);
    }
    words
}

fn read_matches<'a>(mut words: impl Iterator<Item = &'a str>, rule: &mut FirewallRule) {
    let mut negated = false;
    while let Some(word) = words.next() {
        if word == "!" {
            negated = true;
            continue;
        }
        let mut value = || words.next().unwrap_or_default().to_string();
        match word {
            "-m" | "--match" => {
                let _ = value();
                continue;
            }
            "--comment" => {
                let _ = value();
            }
            "-j" | "--jump" | "-g" | "--goto" => {
                let target = value();
                rule.verdict = target_of(&target, word.contains('g'));
            }
            "--to-destination" => {
                let to = value();
                rule.verdict = format!("dnat {to}");
            }
            "--reject-with" | "--log-prefix" | "--log-level" | "--to-ports" | "--set-mark" => {
                let _ = value();
            }
            // Strangers never come by the loopback interface: "not lo" leaves none of them out.
            "-i" | "--in-interface" if negated => {
                let name = value();
                if name != "lo" {
                    rule.unclear.push(format!("! {word} {name}"));
                }
            }
            _ if negated => rule.unclear.push(format!("! {word} {}", value())),
            "-p" | "--protocol" => {
                let protocol = value();
                if protocol != "all" {
                    rule.protocols.push(protocol);
                }
            }
            "--dport" | "--dports" | "--destination-port" => {
                rule.ports.extend(value().split(',').filter_map(parse_ports));
            }
            "-s" | "--source" => {
                let source = value();
                if source != "0.0.0.0/0" && source != "::/0" {
                    rule.sources.push(source);
                }
            }
            "-i" | "--in-interface" => rule.interfaces.push(value()),
            "--ctstate" | "--state" => {
                let states = value();
                let states: Vec<&str> = states.split(',').collect();
                if !states.contains(&"NEW") {
                    rule.established_only = true;
                }
            }
            other => rule.unclear.push(format!("{other} {}", value())),
        }
        negated = false;
    }
    if rule.verdict.is_empty() {
        rule.verdict = "continue".into();
    }
}

fn target_of(target: &str, goto: bool) -> String {
    match target {
        "ACCEPT" => "accept".into(),
        "DROP" => "drop".into(),
        "REJECT" => "reject".into(),
        "RETURN" => "return".into(),
        "DNAT" | "REDIRECT" => "dnat".into(),
        "LOG" | "NFLOG" | "MASQUERADE" | "SNAT" | "MARK" | "CT" | "TCPMSS" | "CONNMARK" => {
            "continue".into()
        }
        chain if goto => format!("goto {}", printable_str(chain)),
        chain => format!("jump {}", printable_str(chain)),
    }
}

/// `80` or `6000:6100`; an open end reaches to the last port.
fn parse_ports(text: &str) -> Option<(u16, u16)> {
    match text.split_once(':') {
        Some((low, high)) => {
            let low = if low.is_empty() { 0 } else { low.parse().ok()? };
            let high = if high.is_empty() { u16::MAX } else { high.parse().ok()? };
            Some((low, high))
        }
        None => text.parse().ok().map(|port| (port, port)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_keeps_what_it_matches() {
        let text = "*filter\n:INPUT DROP [0:0]\n-A INPUT -s 10.0.0.0/8 -i eth0 -p tcp -m multiport --dports 80,443,6000:6100 -m comment --comment \"the -j web\" -j ACCEPT\n-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\nCOMMIT\n";
        let (rules, problems) = parse_save(text, "iptables");
        assert!(problems.is_empty());
        assert_eq!((rules[0].hook.as_str(), rules[0].policy.as_str()), ("input", "drop"));
        assert_eq!(rules[1].ports, [(80, 80), (443, 443), (6000, 6100)]);
        assert_eq!(rules[1].verdict, "accept");
        assert!(rules[1].unclear.is_empty());
        assert!(rules[2].established_only);
    }
}
