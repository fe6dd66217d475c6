//! The packet filter: rules as the programs print them, and what they mean for a first packet from outside.
//!
//! nftables by its JSON *and* iptables-save, since the JSON is blind to what iptables-nft loads.

pub mod iptables;
pub mod nft;
mod verdict;

pub use verdict::verdict;

use polder_host::{ErrorKind, Host, HostError, Program};
use polder_model::facts::FirewallRule;
use polder_model::{Coverage, Problem, Table};

/// What one program answered.
struct Answer {
    rules: Vec<FirewallRule>,
    problems: Vec<Problem>,
    /// None when all is well.
    missing: Option<Missing>,
}

enum Missing {
    NotInstalled,
    NeedsRoot(String),
    Failed(String),
}

/// Every rule of the looker's network namespace.
pub fn look(host: &dyn Host) -> Table<FirewallRule> {
    if !host.identity().running {
        let because = "a folder is looked at, not a running host";
        return Table::with(Coverage::not_applicable(because), Vec::new());
    }
    let v4 = ask(host, Program::IptablesSave, |text| iptables::parse_save(text, "iptables"));
    let v6 = ask(host, Program::Ip6tablesSave, |text| iptables::parse_save(text, "ip6tables"));
    let mut nft = ask(host, Program::NftRuleset, nft::parse_ruleset);
    // iptables-nft keeps its rules in tables of nftables; there they are opaque, here they are not.
    nft.rules.retain(|rule| {
        let twin = if rule.family == "ip6" { &v6 } else { &v4 };
        !(matches!(rule.family.as_str(), "ip" | "ip6")
            && twin.rules.iter().any(|it| it.table == rule.table))
    });
    let coverage = coverage(host, &nft, &v4, &v6);
    let mut rules = nft.rules;
    rules.extend(v4.rules);
    rules.extend(v6.rules);
    let mut problems = nft.problems;
    problems.extend(v4.problems);
    problems.extend(v6.problems);
    Table::with(coverage, rules).problems(problems)
}

fn ask(
    host: &dyn Host,
    program: Program,
    parse: impl Fn(&str) -> (Vec<FirewallRule>, Vec<Problem>),
) -> Answer {
    let missing =
        |missing| Answer { rules: Vec::new(), problems: Vec::new(), missing: Some(missing) };
    match host.run(program) {
        Ok(output) if output.code == Some(0) => {
            let (rules, problems) = parse(&output.stdout);
            Answer { rules, problems, missing: None }
        }
        Ok(output) => {
            let says = format!("`{}` failed: {}", program.shown(), output.stderr);
            let lower = output.stderr.to_ascii_lowercase();
            let needs_root = host.identity().uid != 0
                && (lower.contains("permitted")
                    || lower.contains("root")
                    || lower.contains("denied"));
            missing(if needs_root { Missing::NeedsRoot(says) } else { Missing::Failed(says) })
        }
        Err(HostError { kind: ErrorKind::NotFound, .. }) => missing(Missing::NotInstalled),
        Err(error) => missing(Missing::Failed(error.to_string())),
    }
}

fn coverage(host: &dyn Host, nft: &Answer, v4: &Answer, v6: &Answer) -> Coverage {
    let all = [nft, v4, v6];
    for answer in all {
        match &answer.missing {
            Some(Missing::NeedsRoot(because)) => {
                return Coverage::NotLooked {
                    because: because.clone(),
                    root_adds: Some("the rules of the packet filter".into()),
                };
            }
            Some(Missing::Failed(because)) => return Coverage::partial(because.clone()),
            _ => {}
        }
    }
    if nft.missing.is_none() || (v4.missing.is_none() && v6.missing.is_none()) {
        return Coverage::Complete;
    }
    let loaded = ["nf_tables", "ip_tables", "ip6_tables"]
        .iter()
        .any(|name| host.stat(format!("/sys/module/{name}").as_ref()).is_ok());
    if loaded {
        let because = "the kernel has a packet filter, but neither `nft` nor `iptables-save` is installed to list it";
        Coverage::not_looked(because)
    } else {
        Coverage::not_applicable("the kernel has no packet filter loaded")
    }
}
