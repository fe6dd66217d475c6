//! What a CVSS vector says of a flaw: its score, and two facts that rule books ask for.

use std::str::FromStr;

/// A vector with its meaning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Severity {
    /// Base score with whatever further metrics the vector has, 0 to 10.
    pub score: f64,
    /// Whether it can be used over the network, again and again, without anybody's help: an attacker
    /// can automate it.
    pub automatable: bool,
    /// Whether it gives all: confidentiality, integrity and availability.
    pub total: bool,
}

/// Reads a vector of CVSS 2.0, 3.0, 3.1 or 4.0; none where it is no vector.
pub fn severity(vector: &str) -> Option<Severity> {
    let parsed = match cvss::Cvss::from_str(vector) {
        Ok(parsed) => parsed,
        // Vectors of 2.0 come without a prefix.
        Err(_) => cvss::Cvss::from_str(&format!("CVSS:2.0/{vector}")).ok()?,
    };
    let has = |metric: &str| vector.split('/').any(|it| it == metric);
    let unaided = has("AV:N") && has("AC:L") && (has("PR:N") || has("Au:N"));
    let alone = has("UI:N") || !vector.contains("UI:");
    let total = ["C:H", "I:H", "A:H"].into_iter().all(has)
        || ["C:C", "I:C", "A:C"].into_iter().all(has)
        || ["VC:H", "VI:H", "VA:H"].into_iter().all(has);
    Some(Severity { score: parsed.score(), automatable: unaided && alone, total })
}
