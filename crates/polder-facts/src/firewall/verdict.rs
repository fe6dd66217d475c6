//! Whether the first packet of a stranger reaches a port, as far as rules without state tell.

use polder_model::Coverage;
use polder_model::facts::{Facts, FirewallRule, PortVerdict, Protocol};
use std::net::IpAddr;

/// Deepest nesting of chains; the kernel's own limit is 16.
const JUMPS_MAX: usize = 16;

/// What one chain or rule does with the packet.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fate {
    Accepted(String),
    Dropped(String),
    Continued,
    Returned,
}

/// What was met on the way.
#[derive(Default)]
struct Met {
    /// Rules that accept some sources only.
    limited: Option<String>,
    /// Rules that may accept, by matches that are not understood.
    unclear: Option<String>,
}

/// Judges one listening socket.
pub fn verdict(facts: &Facts, protocol: Protocol, address: &str, port: u16) -> PortVerdict {
    if protocol == Protocol::Unix {
        return PortVerdict::Loopback;
    }
    let ip: Option<IpAddr> = address.parse().ok();
    if ip.is_some_and(|ip| is_loopback(&ip)) {
        return PortVerdict::Loopback;
    }
    let table = &facts.firewall;
    match &table.coverage {
        Coverage::NotLooked { because, .. } => {
            return PortVerdict::Unknown { because: because.clone() };
        }
        Coverage::Partial { because, .. } if table.rows.is_empty() => {
            return PortVerdict::Unknown { because: because.clone() };
        }
        _ => {}
    }
    let name = protocol.family_free();
    let mut families: Vec<&str> = match ip {
        Some(IpAddr::V4(_)) => vec!["ip"],
        // A socket on `::` takes IPv4 too unless told otherwise.
        Some(IpAddr::V6(it)) if it.is_unspecified() => vec!["ip6", "ip"],
        Some(IpAddr::V6(_)) => vec!["ip6"],
        None => vec!["ip", "ip6"],
    };
    families.dedup();
    let mut verdicts: Vec<PortVerdict> =
        families.iter().map(|family| of_family(&table.rows, family, name, port)).collect();
    verdicts.sort_by_key(rank);
    verdicts
        .into_iter()
        .next()
        .unwrap_or_else(|| PortVerdict::Unknown { because: "no address family".into() })
}

fn is_loopback(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(it) => it.is_loopback(),
        IpAddr::V6(it) => {
            it.is_loopback() || it.to_ipv4_mapped().is_some_and(|it| it.is_loopback())
        }
    }
}

/// The most open verdict counts.
fn rank(verdict: &PortVerdict) -> u8 {
    match verdict {
        PortVerdict::Open { .. } => 0,
        PortVerdict::Unknown { .. } => 1,
        PortVerdict::Limited { .. } => 2,
        PortVerdict::Closed { .. } => 3,
        PortVerdict::Loopback => 4,
    }
}

fn of_family(rules: &[FirewallRule], family: &str, protocol: &str, port: u16) -> PortVerdict {
    let mut met = Met::default();
    let packet = Packet { rules, family, protocol, port };
    // A redirected port never meets the input chains: this is how Docker publishes.
    for base in packet.base_chains("prerouting") {
        if let Some(rule) = packet.redirects(base, 0) {
            return PortVerdict::Open { because: format!("redirected by `{}`", rule.text) };
        }
    }
    let bases = packet.base_chains("input");
    let mut accepted: Option<String> = None;
    for base in &bases {
        match packet.chain(base, 0, &mut met) {
            Fate::Accepted(because) => accepted = Some(because),
            Fate::Dropped(because) => {
                return match (met.unclear, met.limited) {
                    (Some(text), _) => {
                        PortVerdict::Unknown { because: format!("`{text}` may let it through") }
                    }
                    (None, Some(because)) => PortVerdict::Limited { because },
                    (None, None) => PortVerdict::Closed { because },
                };
            }
            Fate::Continued | Fate::Returned => {}
        }
    }
    let because = accepted.unwrap_or_else(|| match bases.is_empty() {
        true => "no rule filters what comes in".into(),
        false => "no rule drops it".into(),
    });
    PortVerdict::Open { because }
}

struct Packet<'a> {
    rules: &'a [FirewallRule],
    family: &'a str,
    protocol: &'a str,
    port: u16,
}

impl<'a> Packet<'a> {
    fn base_chains(&self, hook: &str) -> Vec<&'a FirewallRule> {
        let mut bases: Vec<&FirewallRule> = self
            .rules
            .iter()
            .filter(|rule| rule.hook == hook && self.in_family(&rule.family))
            .collect();
        bases.sort_by_key(|rule| rule.priority);
        bases
    }

    fn in_family(&self, family: &str) -> bool {
        family == self.family || family == "inet"
    }

    fn rules_of(
        &self,
        base: &'a FirewallRule,
        chain: &'a str,
    ) -> impl Iterator<Item = &'a FirewallRule> {
        self.rules.iter().filter(move |rule| {
            !rule.verdict.is_empty()
                && rule.hook.is_empty()
                && rule.engine == base.engine
                && rule.table == base.table
                && rule.chain == chain
                && !(rule.policy.is_empty() && rule.text.starts_with("chain "))
        })
    }

    fn chain(&self, base: &'a FirewallRule, depth: usize, met: &mut Met) -> Fate {
        match self.walk(base, &base.chain, depth, met) {
            Fate::Continued | Fate::Returned => {
                let because = format!(
                    "policy {} of chain {} in table {} ({})",
                    base.policy, base.chain, base.table, base.engine
                );
                if base.policy == "drop" { Fate::Dropped(because) } else { Fate::Accepted(because) }
            }
            fate => fate,
        }
    }

    fn walk(&self, base: &'a FirewallRule, chain: &'a str, depth: usize, met: &mut Met) -> Fate {
        if depth > JUMPS_MAX {
            return Fate::Continued;
        }
        for rule in self.rules_of(base, chain) {
            if !self.matches(rule) {
                continue;
            }
            let fate = match rule.verdict.split_once(' ') {
                Some(("jump", target)) => match self.walk(base, target, depth + 1, met) {
                    Fate::Returned => Fate::Continued,
                    fate => fate,
                },
                Some(("goto", target)) => match self.walk(base, target, depth + 1, met) {
                    Fate::Continued => Fate::Returned,
                    fate => fate,
                },
                _ => match rule.verdict.as_str() {
                    "accept" => Fate::Accepted(format!("`{}`", rule.text)),
                    "drop" | "reject" => Fate::Dropped(format!("`{}`", rule.text)),
                    "return" => Fate::Returned,
                    _ => Fate::Continued,
                },
            };
            match fate {
                Fate::Continued => {}
                // Only some packets meet it: what it lets through is remembered, what it drops
                // leaves the others.
                Fate::Accepted(_) if !rule.sources.is_empty() => {
                    met.limited.get_or_insert_with(|| format!("`{}`", rule.text));
                }
                Fate::Accepted(_) if !rule.unclear.is_empty() => {
                    met.unclear.get_or_insert_with(|| rule.text.clone());
                }
                _ if !rule.sources.is_empty() || !rule.unclear.is_empty() => {}
                fate => return fate,
            }
        }
        Fate::Continued
    }

    /// Whether a first packet of a stranger may meet the rule.
    fn matches(&self, rule: &FirewallRule) -> bool {
        let protocol =
            rule.protocols.is_empty() || rule.protocols.iter().any(|it| it == self.protocol);
        let port = rule.ports.is_empty()
            || rule.ports.iter().any(|(low, high)| (*low..=*high).contains(&self.port));
        let interface = rule.interfaces.is_empty() || rule.interfaces.iter().any(|it| it != "lo");
        protocol && port && interface && !rule.established_only && self.in_family(&rule.family)
    }

    fn redirects(&self, base: &'a FirewallRule, depth: usize) -> Option<&'a FirewallRule> {
        self.redirects_in(base, &base.chain, depth)
    }

    fn redirects_in(
        &self,
        base: &'a FirewallRule,
        chain: &'a str,
        depth: usize,
    ) -> Option<&'a FirewallRule> {
        if depth > JUMPS_MAX {
            return None;
        }
        self.rules_of(base, chain).filter(|rule| self.matches(rule)).find_map(|rule| {
            if rule.verdict.starts_with("dnat") && !rule.ports.is_empty() {
                return Some(rule);
            }
            let (_, target) = rule.verdict.split_once("jump ")?;
            self.redirects_in(base, target, depth + 1)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firewall::iptables::parse_save;
    use polder_model::Table;

    #[track_caller]
    fn check(rules: &str, port: u16, expected: &str) {
        let (rows, _) = parse_save(rules, "iptables");
        let facts = Facts { firewall: Table::complete(rows), ..Facts::default() };
        let verdict = verdict(&facts, Protocol::Tcp, "0.0.0.0", port);
        let word = match verdict {
            PortVerdict::Open { .. } => "open",
            PortVerdict::Limited { .. } => "limited",
            PortVerdict::Closed { .. } => "closed",
            PortVerdict::Unknown { .. } => "unknown",
            PortVerdict::Loopback => "loopback",
        };
        assert_eq!(word, expected);
    }

    const RULES: &str = "*filter\n:INPUT DROP [0:0]\n:WEB - [0:0]\n-A INPUT -i lo -j ACCEPT\n-A INPUT -m state --state ESTABLISHED -j ACCEPT\n-A INPUT -p tcp -j WEB\n-A WEB -p tcp --dport 80 -j ACCEPT\n-A WEB -s 192.0.2.0/24 -p tcp --dport 22 -j ACCEPT\n-A WEB -p tcp --dport 99 -m owner --uid-owner 3 -j ACCEPT\nCOMMIT\n";

    #[test]
    fn chains_are_followed_and_the_policy_decides_the_rest() {
        check(RULES, 80, "open");
        check(RULES, 22, "limited");
        check(RULES, 5432, "closed");
        check(RULES, 99, "unknown");
        check("", 5432, "open");
    }

    #[test]
    fn a_port_that_docker_publishes_is_open_whatever_the_input_chain_says() {
        let docker = "*nat\n:PREROUTING ACCEPT [0:0]\n:DOCKER - [0:0]\n-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n-A DOCKER ! -i docker0 -p tcp -m tcp --dport 5432 -j DNAT --to-destination 172.17.0.2:5432\nCOMMIT\n*filter\n:INPUT DROP [0:0]\nCOMMIT\n";
        check(docker, 5432, "open");
        check(docker, 5433, "closed");
    }
}
