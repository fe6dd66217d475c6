//! Findings as SARIF 2.1.0 (OASIS, 2020), for tools that gather them.

use crate::view::View;
use polder_model::Origin;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The findings as a SARIF log. The level is a note: Polder has no severity of its own.
pub fn sarif(view: &View) -> Value {
    let mut rules: BTreeMap<&str, Value> = BTreeMap::new();
    for line in &view.findings {
        rules.entry(&line.finding.kind).or_insert_with(|| {
            json!({
                "id": line.finding.kind,
                "shortDescription": { "text": line.title },
                "fullDescription": { "text": line.why },
                "help": { "text": line.how_we_know },
                "properties": { "tags": line.references },
            })
        });
    }
    let results: Vec<Value> = view
        .findings
        .iter()
        .map(|line| {
            let locations: Vec<Value> = line
                .finding
                .evidence
                .iter()
                .filter_map(|evidence| match &evidence.origin {
                    Origin::File { path, line } => Some(json!({
                        "physicalLocation": {
                            "artifactLocation": { "uri": uri(path) },
                            "region": { "startLine": line.unwrap_or(1).max(1) },
                        }
                    })),
                    _ => None,
                })
                .collect();
            let mut result = json!({
                "ruleId": line.finding.kind,
                "level": "note",
                "message": { "text": line.finding.says },
                "locations": locations,
                "partialFingerprints": { "polderFinding/v1": line.finding.id.0 },
                "properties": {
                    "lossesAvoidedPerYear": line.avoided,
                    "tags": line.finding.flaws,
                },
            });
            if line.decided
                && let Some(object) = result.as_object_mut()
            {
                object.insert(
                    "suppressions".into(),
                    json!([{ "kind": "external", "status": "accepted" }]),
                );
            }
            result
        })
        .collect();
    log(&view.polder, rules.into_values().collect(), json!({ "results": results }))
}

/// A log of one run, which has its results and may have more.
pub(crate) fn log(version: &str, rules: Vec<Value>, mut run: Value) -> Value {
    if let Some(object) = run.as_object_mut() {
        let driver = json!({ "name": "polder", "version": version, "rules": rules });
        object.insert("tool".into(), json!({ "driver": driver }));
    }
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    })
}

/// A path as a URI: what RFC 3986 does not allow is written as `%XX`.
pub(crate) fn uri(path: &str) -> String {
    let mut out = String::from("file://");
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte));
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}
