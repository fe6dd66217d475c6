//! Output of `nft -j list ruleset` (libnftables-json(5)).

use crate::reading::note;
use polder_model::facts::FirewallRule;
use polder_model::{Problem, printable_str};
use serde_json::Value;
use std::collections::BTreeMap;

/// Most rules read; the programs themselves become slow before.
const RULES_MAX: usize = 200_000;

/// Reads chains and rules. A verdict map becomes one rule for each of its entries.
pub fn parse_ruleset(text: &str) -> (Vec<FirewallRule>, Vec<Problem>) {
    let mut problems = Vec::new();
    let value: Value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(error) => {
            note(&mut problems, "nft -j list ruleset", error.to_string());
            return (Vec::new(), problems);
        }
    };
    let objects = value.get("nftables").and_then(Value::as_array).cloned().unwrap_or_default();
    let sets = sets(&objects);
    let mut rules = Vec::new();
    for object in objects.iter().take(RULES_MAX) {
        if let Some(chain) = object.get("chain") {
            let mut rule = blank(chain, "name");
            rule.hook = text_of(chain, "hook");
            rule.priority = chain.get("prio").and_then(Value::as_i64).unwrap_or(0);
            // A base chain without a policy accepts (nft(8), CHAINS).
            rule.policy = match text_of(chain, "policy") {
                policy if policy.is_empty() && !rule.hook.is_empty() => "accept".into(),
                policy => policy,
            };
            rule.text = format!("chain {} {} {}", rule.family, rule.table, rule.chain);
            rules.push(rule);
        } else if let Some(rule) = object.get("rule") {
            read_rule(rule, &sets, &mut rules);
        }
    }
    (rules, problems)
}

type Sets<'a> = BTreeMap<(String, String, String), Vec<&'a Value>>;

fn sets(objects: &[Value]) -> Sets<'_> {
    objects
        .iter()
        .filter_map(|object| object.get("set").or_else(|| object.get("map")))
        .map(|set| {
            let key = (text_of(set, "family"), text_of(set, "table"), text_of(set, "name"));
            let elements = set.get("elem").and_then(Value::as_array);
            (key, elements.map_or_else(Vec::new, |it| it.iter().collect()))
        })
        .collect()
}

fn text_of(value: &Value, key: &str) -> String {
    printable_str(value.get(key).and_then(Value::as_str).unwrap_or_default())
}

fn blank(value: &Value, chain: &str) -> FirewallRule {
    FirewallRule {
        engine: "nft".into(),
        family: text_of(value, "family"),
        table: text_of(value, "table"),
        chain: text_of(value, chain),
        verdict: "continue".into(),
        ..FirewallRule::default()
    }
}

fn read_rule(value: &Value, sets: &Sets<'_>, rules: &mut Vec<FirewallRule>) {
    let mut rule = blank(value, "chain");
    let handle = value.get("handle").and_then(Value::as_i64).unwrap_or(0);
    rule.text = format!("{} {} {} handle {handle}", rule.family, rule.table, rule.chain);
    let expressions = value.get("expr").and_then(Value::as_array).cloned().unwrap_or_default();
    for expression in &expressions {
        let Some((name, body)) = expression.as_object().and_then(|it| it.iter().next()) else {
            continue;
        };
        match name.as_str() {
            "match" => read_match(body, sets, &mut rule),
            "accept" | "drop" | "return" => rule.verdict.clone_from(name),
            "reject" => rule.verdict = "reject".into(),
            "jump" | "goto" => rule.verdict = format!("{name} {}", text_of(body, "target")),
            "dnat" | "redirect" => rule.verdict = "dnat".into(),
            "counter" | "log" | "masquerade" | "snat" | "mangle" | "notrack" | "comment" => {}
            "limit" => rule.unclear.push("limit".into()),
            "vmap" => {
                read_verdict_map(body, sets, &rule, rules);
                return;
            }
            other => rule.unclear.push(printable_str(other)),
        }
    }
    rules.push(rule);
}

fn read_match(body: &Value, sets: &Sets<'_>, rule: &mut FirewallRule) {
    let (Some(left), Some(right)) = (body.get("left"), body.get("right")) else { return };
    let operator = text_of(body, "op");
    // Strangers never come by the loopback interface: "not lo" leaves none of them out.
    let is_interface = left
        .get("meta")
        .is_some_and(|it| matches!(it.get("key").and_then(Value::as_str), Some("iif" | "iifname")));
    if operator == "!=" && is_interface && right.as_str() == Some("lo") {
        return;
    }
    if !matches!(operator.as_str(), "==" | "in" | "") {
        rule.unclear.push(printable_str(&format!("{operator} {right}")));
        return;
    }
    apply(left, &resolve(right, sets, rule), rule);
}

/// The values a right side stands for: one, the elements of a set, or those of a named set.
fn resolve(right: &Value, sets: &Sets<'_>, rule: &FirewallRule) -> Vec<Value> {
    if let Some(elements) = right.get("set").and_then(Value::as_array) {
        return elements.clone();
    }
    if let Some(elements) = right.as_array() {
        return elements.clone();
    }
    if let Some(name) = right.as_str().and_then(|it| it.strip_prefix('@')) {
        let key = (rule.family.clone(), rule.table.clone(), name.to_string());
        return sets
            .get(&key)
            .map_or_else(Vec::new, |it| it.iter().map(|it| (*it).clone()).collect());
    }
    vec![right.clone()]
}

/// Limits a rule to `values` of what `left` names.
fn apply(left: &Value, values: &[Value], rule: &mut FirewallRule) {
    let words = || values.iter().map(word).collect::<Vec<_>>();
    let payload = left.get("payload");
    let meta = left.get("meta").map(|it| text_of(it, "key"));
    let ct = left.get("ct").map(|it| text_of(it, "key"));
    let field = payload.map(|it| (text_of(it, "protocol"), text_of(it, "field")));
    match (field.as_ref().map(|(a, b)| (a.as_str(), b.as_str())), meta.as_deref(), ct.as_deref()) {
        (Some((protocol, "dport")), _, _) => {
            if matches!(protocol, "tcp" | "udp") {
                rule.protocols.push(protocol.into());
            }
            rule.ports.extend(values.iter().filter_map(ports));
            if values.is_empty() {
                rule.unclear.push("an empty set of ports".into());
            }
        }
        (Some((_, "saddr")), _, _) => {
            let all = words();
            // An empty set of sources matches nobody.
            rule.sources.extend(if all.is_empty() { vec!["nobody".into()] } else { all });
        }
        (Some((_, "protocol" | "nexthdr")), _, _) | (_, Some("l4proto"), _) => {
            rule.protocols.extend(words());
        }
        (_, Some("iif" | "iifname"), _) => rule.interfaces.extend(words()),
        (_, Some("nfproto"), _) => {
            let is_v6 = words().iter().any(|it| it == "ipv6");
            let is_v4 = words().iter().any(|it| it == "ipv4");
            if !(is_v4 && is_v6) {
                rule.family = if is_v6 { "ip6".into() } else { "ip".into() };
            }
        }
        (_, _, Some("state")) => {
            if !words().iter().any(|it| it == "new" || it == "untracked") {
                rule.established_only = true;
            }
        }
        _ => rule.unclear.push(printable_str(&left.to_string())),
    }
}

fn read_verdict_map(
    body: &Value,
    sets: &Sets<'_>,
    base: &FirewallRule,
    rules: &mut Vec<FirewallRule>,
) {
    let (Some(key), Some(data)) = (body.get("key"), body.get("data")) else { return };
    for pair in resolve(data, sets, base) {
        let Some([value, verdict]) = pair.as_array().map(Vec::as_slice) else { continue };
        let mut rule = base.clone();
        apply(key, std::slice::from_ref(value), &mut rule);
        if let Some((name, body)) = verdict.as_object().and_then(|it| it.iter().next()) {
            rule.verdict = match name.as_str() {
                "jump" | "goto" => format!("{name} {}", text_of(body, "target")),
                other => printable_str(other),
            };
        }
        rules.push(rule);
    }
}

fn word(value: &Value) -> String {
    if let Some(text) = value.as_str() {
        return printable_str(text);
    }
    if let Some(prefix) = value.get("prefix") {
        let length = prefix.get("len").and_then(Value::as_i64).unwrap_or(0);
        return format!("{}/{length}", text_of(prefix, "addr"));
    }
    // Elements of sets with a comment or a counter.
    if let Some(inner) = value.get("elem").and_then(|it| it.get("val")) {
        return word(inner);
    }
    printable_str(&value.to_string())
}

fn ports(value: &Value) -> Option<(u16, u16)> {
    let port = |value: &Value| value.as_u64().and_then(|it| u16::try_from(it).ok());
    if let Some(range) = value.get("range").and_then(Value::as_array) {
        return Some((port(range.first()?)?, port(range.get(1)?)?));
    }
    if let Some(inner) = value.get("elem").and_then(|it| it.get("val")) {
        return ports(inner);
    }
    port(value).map(|it| (it, it))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_with_a_set_and_a_verdict_map_are_read() {
        let text = r#"{"nftables":[{"metainfo":{}},
          {"chain":{"family":"inet","table":"f","name":"in","type":"filter","hook":"input","prio":0,"policy":"drop"}},
          {"set":{"family":"inet","table":"f","name":"admins","elem":["192.0.2.1",{"prefix":{"addr":"10.0.0.0","len":8}}]}},
          {"rule":{"family":"inet","table":"f","chain":"in","handle":3,"expr":[
            {"match":{"op":"==","left":{"payload":{"protocol":"tcp","field":"dport"}},"right":{"set":[80,{"range":[8000,8010]}]}}},{"accept":null}]}},
          {"rule":{"family":"inet","table":"f","chain":"in","handle":4,"expr":[
            {"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"saddr"}},"right":"@admins"}},{"accept":null}]}},
          {"rule":{"family":"inet","table":"f","chain":"in","handle":5,"expr":[
            {"vmap":{"key":{"ct":{"key":"state"}},"data":{"set":[["established",{"accept":null}],["invalid",{"drop":null}]]}}}]}}]}"#;
        let (rules, problems) = parse_ruleset(text);
        assert!(problems.is_empty());
        assert_eq!(rules[0].policy, "drop");
        assert_eq!(rules[1].ports, [(80, 80), (8000, 8010)]);
        assert_eq!(rules[2].sources, ["192.0.2.1", "10.0.0.0/8"]);
        assert!(rules[3].established_only && rules[4].established_only);
        assert_eq!(rules[4].verdict, "drop");
    }
}
