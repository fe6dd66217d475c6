//! What somebody states of flaws in packages: OpenVEX 0.2.

use super::content::{FeedError, day};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a statement says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// The flaw cannot be used there.
    NotAffected,
    /// This version has the fix.
    Fixed,
    /// It can be used.
    Affected,
    /// Nobody knows yet.
    UnderInvestigation,
}

/// A statement about one package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// Names of the flaw.
    pub flaws: Vec<String>,
    /// The type of the package's URL: `deb`, `rpm`, `apk`.
    pub kind: String,
    /// Its maker: `debian`; empty for any.
    pub namespace: String,
    /// Its name, of the binary or of the source package.
    pub name: String,
    /// The only version that is meant.
    pub version: Option<String>,
    /// The only release that is meant: `debian-12`, `bookworm`.
    pub release: Option<String>,
    /// The only architecture that is meant.
    pub architecture: Option<String>,
    /// What is said.
    pub status: Status,
    /// Why.
    pub because: String,
    /// Who says so.
    pub author: String,
    /// When, in seconds since 1970.
    pub when: i64,
}

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "@id")]
    id: String,
    #[serde(default)]
    author: String,
    #[serde(default)]
    timestamp: String,
    statements: Vec<Stated>,
}

#[derive(Deserialize)]
struct Stated {
    vulnerability: Value,
    #[serde(default)]
    products: Vec<Value>,
    status: String,
    #[serde(default)]
    justification: String,
    #[serde(default)]
    impact_statement: String,
    timestamp: Option<String>,
}

/// Whether a document is one of OpenVEX, by its context.
pub(super) fn is_vex(context: &Value) -> bool {
    context.as_str().is_some_and(|it| it.contains("openvex"))
}

/// The name of the document, and every statement about a package that has a URL.
pub(super) fn read(text: &str) -> Result<(String, Vec<Statement>), FeedError> {
    let document: Document = serde_json::from_str(text).map_err(FeedError::damaged)?;
    let mut statements = Vec::new();
    for it in &document.statements {
        let status = match it.status.as_str() {
            "not_affected" => Status::NotAffected,
            "fixed" => Status::Fixed,
            "affected" => Status::Affected,
            "under_investigation" => Status::UnderInvestigation,
            other => return Err(FeedError::damaged(format!("`{other}` is no status"))),
        };
        let when = it.timestamp.as_ref().unwrap_or(&document.timestamp);
        let because = match (it.justification.is_empty(), it.impact_statement.is_empty()) {
            (false, false) => format!("{}: {}", it.justification, it.impact_statement),
            (false, true) => it.justification.clone(),
            (true, _) => it.impact_statement.clone(),
        };
        for purl in it.products.iter().filter_map(package_url) {
            let Some(package) = Purl::parse(purl) else { continue };
            statements.push(Statement {
                flaws: names(&it.vulnerability),
                kind: package.kind,
                namespace: package.namespace,
                name: package.name,
                version: package.version,
                release: package.release,
                architecture: package.architecture,
                status,
                because: because.clone(),
                author: document.author.clone(),
                when: moment(when),
            });
        }
    }
    if statements.is_empty() {
        let because = "a VEX document without a statement about a package that has a URL".into();
        return Err(FeedError::Unknown { because });
    }
    Ok((document.id, statements))
}

/// Seconds since 1970 of a moment with its zone, or of a day.
fn moment(text: &str) -> i64 {
    let moment = text.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_second);
    moment.ok().or_else(|| day(text)).unwrap_or(0)
}

/// A flaw is called by a name, or by a name and others.
fn names(vulnerability: &Value) -> Vec<String> {
    let text = |it: &Value| it.as_str().map(str::to_uppercase);
    let own = text(vulnerability).or_else(|| vulnerability.get("name").and_then(text));
    let others = vulnerability.get("aliases").and_then(Value::as_array);
    own.into_iter().chain(others.into_iter().flatten().filter_map(text)).collect()
}

/// What is inside a product that is no package is said of that product alone.
fn package_url(product: &Value) -> Option<&str> {
    if product.get("subcomponents").and_then(Value::as_array).is_some_and(|it| !it.is_empty()) {
        return None;
    }
    let id = product.as_str().or_else(|| product.get("@id")?.as_str());
    let named = product.get("identifiers").and_then(|it| it.get("purl")?.as_str());
    named.or(id).filter(|it| it.starts_with("pkg:"))
}

/// A package URL (package-url specification), as far as statements need it.
pub(super) struct Purl {
    pub(super) kind: String,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) version: Option<String>,
    pub(super) release: Option<String>,
    pub(super) epoch: Option<String>,
    pub(super) architecture: Option<String>,
}

impl Purl {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("pkg:")?.split('#').next()?;
        let (path, qualifiers) = rest.split_once('?').unwrap_or((rest, ""));
        let (path, version) = match path.rsplit_once('@') {
            Some((path, version)) => (path, Some(decoded(version)).filter(|it| !it.is_empty())),
            None => (path, None),
        };
        let (kind, path) = path.split_once('/')?;
        let (namespace, name) = path.rsplit_once('/').unwrap_or(("", path));
        let of = |key: &str| {
            let mut pairs = qualifiers.split('&').filter_map(|it| it.split_once('='));
            pairs.find(|it| it.0 == key).map(|it| decoded(it.1))
        };
        Some(Self {
            kind: kind.to_lowercase(),
            namespace: decoded(namespace),
            name: decoded(name),
            version,
            release: of("distro"),
            epoch: of("epoch"),
            architecture: of("arch"),
        })
    }
}

/// Without percent signs; bytes that are no text are left out.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let digits = more.get(..2).and_then(|it| std::str::from_utf8(it).ok());
        match digits.and_then(|it| u8::from_str_radix(it, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = more.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn statements_are_about_packages_with_or_without_a_version() {
        let text = r#"{"@context": "https://openvex.dev/ns/v0.2.0", "@id": "x", "author": "ada", "timestamp": "2026-01-02T03:04:05Z",
            "statements": [
              {"vulnerability": {"name": "CVE-2026-1", "aliases": ["GHSA-x"]}, "status": "not_affected",
               "justification": "vulnerable_code_not_in_execute_path", "impact_statement": "no TLS here",
               "products": [{"@id": "pkg:deb/debian/libstdc%2B%2B6"}, {"@id": "pkg:deb/debian/curl@7.88.1-10%2Bdeb12u5?arch=amd64&distro=debian-12"}]},
              {"vulnerability": "cve-2026-2", "status": "fixed", "products": ["pkg:rpm/redhat/bash@5.1", "https://example.org/image"]},
              {"vulnerability": "CVE-2026-3", "status": "not_affected",
               "products": [{"@id": "pkg:oci/image", "subcomponents": [{"@id": "pkg:deb/debian/bash"}]}]}]}"#;
        let (id, statements) = read(text).unwrap();
        assert_eq!(id, "x");
        let shown: Vec<String> = statements
            .iter()
            .map(|it| {
                format!(
                    "{:?} {} {:?} {:?} {:?}",
                    it.flaws, it.name, it.version, it.release, it.status
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                r#"["CVE-2026-1", "GHSA-X"] libstdc++6 None None NotAffected"#,
                r#"["CVE-2026-1", "GHSA-X"] curl Some("7.88.1-10+deb12u5") Some("debian-12") NotAffected"#,
                r#"["CVE-2026-2"] bash Some("5.1") None Fixed"#,
            ]
        );
        assert!(read(r#"{"@id": "x", "statements": []}"#).is_err());
    }
}
