//! What is installed, for other programs: CycloneDX, SPDX; and what is known of its flaws: OpenVEX.

use crate::words::moment_rfc3339;
use polder_model::facts::{Facts, Flaw, Library, Package, Verdict};
use serde_json::{Value, json};

/// A library that was found in a file.
#[derive(Clone, Debug)]
pub struct FoundLibrary {
    /// The library.
    pub library: Library,
    /// The lock file, folder or program that names it.
    pub file: String,
    /// Whether a package of the distribution brought it.
    pub is_packaged: bool,
}

/// The package URL of a library (package-url specification).
fn library_purl(it: &Library) -> String {
    let kind = it.purl_type();
    let name = match kind {
        // PEP 503.
        "pypi" => it.name.to_lowercase().replace(['_', '.'], "-"),
        _ => it.name.clone(),
    };
    let name: Vec<String> = name.split('/').map(encoded).collect();
    // Versions of Go begin with a letter, but for the one of the compiler.
    let v = if kind == "golang" && it.name != "stdlib" { "v" } else { "" };
    format!("pkg:{kind}/{}@{v}{}", name.join("/"), encoded(&it.version))
}

/// The packages as CycloneDX 1.6, with libraries that were found in files.
pub fn cyclonedx(facts: &Facts, libraries: &[FoundLibrary], version: &str) -> Value {
    let system = system(facts);
    let library = |it: &FoundLibrary| {
        let purl = library_purl(&it.library);
        let owner = if it.is_packaged { "a package of the distribution" } else { "" };
        json!({
            "type": "library",
            "bom-ref": format!("{purl}#{}", encoded(&it.file)),
            "name": it.library.name,
            "version": it.library.version,
            "purl": purl,
            "properties": [
                { "name": "polder:file", "value": it.file },
                { "name": "polder:brought_by", "value": owner },
            ],
        })
    };
    let libraries = libraries.iter().map(library);
    let component = |it: &Package| {
        json!({
            "type": "library",
            "bom-ref": purl(facts, it),
            "name": it.name,
            "version": it.version,
            "purl": purl(facts, it),
            "properties": [
                { "name": "polder:source", "value": it.source },
                { "name": "polder:source_version", "value": it.source_version },
                { "name": "polder:origins", "value": it.origins.join(" ") },
            ],
        })
    };
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": moment_rfc3339(facts.taken),
            "tools": { "components": [tool(version)] },
            "component": {
                "type": "operating-system",
                "bom-ref": format!("host:{}", facts.host_name()),
                "name": system.0,
                "version": system.1,
            },
        },
        "components": facts.packages.rows.iter().map(component).chain(libraries).collect::<Vec<_>>(),
    })
}

fn tool(version: &str) -> Value {
    json!({ "type": "application", "name": "polder", "version": version })
}

/// The packages as SPDX 2.3, with libraries that were found in files.
pub fn spdx(facts: &Facts, libraries: &[FoundLibrary], version: &str) -> Value {
    let identity = |at: usize| format!("SPDXRef-Package-{at}");
    let packages = facts.packages.rows.iter();
    let packages = packages.map(|it| (it.name.clone(), it.version.clone(), purl(facts, it), ""));
    let libraries = libraries.iter().map(|it| {
        let Library { name, version, .. } = &it.library;
        (name.clone(), version.clone(), library_purl(&it.library), it.file.as_str())
    });
    let all: Vec<(String, String, String, &str)> = packages.chain(libraries).collect();
    let package = |(at, (name, version, purl, file)): (usize, &(String, String, String, &str))| {
        let mut package = json!({
            "SPDXID": identity(at),
            "name": name,
            "versionInfo": version,
            "downloadLocation": "NOASSERTION",
            "filesAnalyzed": false,
            "licenseConcluded": "NOASSERTION",
            "licenseDeclared": "NOASSERTION",
            "copyrightText": "NOASSERTION",
            "externalRefs": [{
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": purl,
            }],
        });
        if let Some(fields) = package.as_object_mut().filter(|_| !file.is_empty()) {
            fields.insert("sourceInfo".into(), json!(format!("named by {file}")));
        }
        package
    };
    let describes = |at: usize| {
        json!({
            "spdxElementId": "SPDXRef-DOCUMENT",
            "relationshipType": "DESCRIBES",
            "relatedSpdxElement": identity(at),
        })
    };
    let host = encoded(facts.host_name());
    json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": facts.host_name(),
        "documentNamespace": format!("urn:polder:{host}:{}", facts.taken.0),
        "creationInfo": {
            "created": moment_rfc3339(facts.taken),
            "creators": [format!("Tool: polder-{version}")],
        },
        "packages": all.iter().enumerate().map(package).collect::<Vec<_>>(),
        "relationships": (0..all.len()).map(describes).collect::<Vec<_>>(),
    })
}

/// The known flaws as OpenVEX 0.2.0: only what the feeds tell of installed versions.
pub fn openvex(facts: &Facts, version: &str) -> Value {
    let statement = |(flaw, name): (&Flaw, &String)| {
        let products: Vec<Value> = facts
            .packages
            .rows
            .iter()
            .filter(|it| flaw.packages.contains(&it.name))
            .map(|it| json!({ "@id": purl(facts, it) }))
            .collect();
        let mut statement = json!({
            "vulnerability": { "name": name, "description": flaw.advisory },
            "products": products,
            "timestamp": moment_rfc3339(facts.taken),
        });
        let (status, key, text) = match &flaw.verdict {
            Verdict::FixableNow { fixed } => (
                "affected",
                "action_statement",
                format!("Install {fixed} or newer, which is on offer"),
            ),
            Verdict::FixableElsewhere { fixed, from } => {
                ("affected", "action_statement", format!("Install {fixed} or newer from {from}"))
            }
            Verdict::NoFix { state } => (
                "affected",
                "action_statement",
                format!("No fix ({state}): wrap it or do without it"),
            ),
            Verdict::Unknown { because } => {
                ("under_investigation", "status_notes", because.clone())
            }
            Verdict::Stated { because } => ("not_affected", "impact_statement", because.clone()),
        };
        if let Some(fields) = statement.as_object_mut() {
            fields.insert("status".into(), json!(status));
            fields.insert(key.into(), json!(text));
        }
        statement
    };
    let host = encoded(facts.host_name());
    json!({
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": format!("urn:polder:vex:{host}:{}", facts.taken.0),
        "author": format!("polder {version}"),
        "timestamp": moment_rfc3339(facts.taken),
        "version": 1,
        "statements": facts.flaws.rows.iter().flat_map(named).map(statement).collect::<Vec<_>>(),
    })
}

/// A flaw once for each of its names: an advisory of several CVE tells of several flaws.
fn named(flaw: &Flaw) -> impl Iterator<Item = (&Flaw, &String)> {
    let names = match flaw.cves.is_empty() {
        true => std::slice::from_ref(&flaw.advisory),
        false => flaw.cves.as_slice(),
    };
    names.iter().map(move |name| (flaw, name))
}

/// Name and version of the operating system.
fn system(facts: &Facts) -> (String, String) {
    facts.system_row().map_or_else(
        || ("unknown".into(), String::new()),
        |it| (it.os_id.clone(), it.os_version.clone()),
    )
}

/// The package's URL (package-url specification, types `deb`, `apk` and `rpm`).
fn purl(facts: &Facts, package: &Package) -> String {
    let (id, version) = system(facts);
    let kind = match package.manager.as_str() {
        "apk" => "apk",
        "rpm" => "rpm",
        _ => "deb",
    };
    // An RPM's epoch is a qualifier of its own.
    let (epoch, plain) = match package.version.split_once(':').filter(|_| kind == "rpm") {
        Some((epoch, rest)) => (format!("&epoch={}", encoded(epoch)), rest),
        None => (String::new(), package.version.as_str()),
    };
    format!(
        "pkg:{kind}/{}/{}@{}?arch={}&distro={}-{}{epoch}",
        encoded(&id),
        encoded(&package.name),
        encoded(plain),
        encoded(&package.architecture),
        encoded(&id),
        encoded(&version)
    )
}

/// Percent-encoded but for the characters that RFC 3986 calls unreserved.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use polder_model::Table;
    use polder_model::facts::System;

    #[test]
    fn libraries_have_the_urls_of_their_registries() {
        let of = |ecosystem: &str, name: &str, version: &str| {
            let (ecosystem, name) = (ecosystem.into(), name.into());
            library_purl(&Library { ecosystem, name, version: version.into() })
        };
        assert_eq!(of("PyPI", "Foo_Bar", "1.0"), "pkg:pypi/foo-bar@1.0");
        assert_eq!(of("npm", "@a/b", "1.0.0"), "pkg:npm/%40a/b@1.0.0");
        assert_eq!(of("Go", "github.com/a/b", "1.2.3"), "pkg:golang/github.com/a/b@v1.2.3");
        assert_eq!(of("Go", "stdlib", "1.21.3"), "pkg:golang/stdlib@1.21.3");
        assert_eq!(of("crates.io", "serde", "1.0.0"), "pkg:cargo/serde@1.0.0");
    }

    #[test]
    fn package_urls_are_encoded() {
        let system =
            System { os_id: "debian".into(), os_version: "12".into(), ..System::default() };
        let package = Package {
            name: "libstdc++6".into(),
            version: "1:12.2.0-14+deb12u1~x".into(),
            architecture: "amd64".into(),
            manager: "dpkg".into(),
            ..Package::default()
        };
        let facts = Facts { system: Table::complete(vec![system]), ..Facts::default() };
        assert_eq!(
            purl(&facts, &package),
            "pkg:deb/debian/libstdc%2B%2B6@1%3A12.2.0-14%2Bdeb12u1~x?arch=amd64&distro=debian-12"
        );
    }
}
