//! What is installed, for other programs: CycloneDX, SPDX; and what is known of its flaws: OpenVEX.

use crate::words::moment_rfc3339;
use polder_model::facts::{ApplicationFlaw, Facts, Flaw, Library, Package, Verdict};
use serde_json::{Value, json};
use std::collections::BTreeMap;

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
    // Group and artifact of Maven are namespace and name.
    let between = if kind == "maven" { ':' } else { '/' };
    let name: Vec<String> = name.split(between).map(encoded).collect();
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

/// The known flaws as OpenVEX 0.2.0: what the feeds tell of installed packages, and of the libraries of
/// programs that run.
pub fn openvex(facts: &Facts, version: &str) -> Value {
    let of_package = |(flaw, name): (&Flaw, &String)| {
        let products: Vec<Value> = facts
            .packages
            .rows
            .iter()
            .filter(|it| flaw.packages.contains(&it.name))
            .map(|it| json!({ "@id": purl(facts, it) }))
            .collect();
        statement(facts, (name, &flaw.advisory), &products, &flaw.verdict)
    };
    let rows = facts.flaws.rows.iter();
    let packages =
        rows.flat_map(|it| named(&it.cves, &it.advisory).iter().map(move |name| (it, name)));
    let host = encoded(facts.host_name());
    json!({
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": format!("urn:polder:vex:{host}:{}", facts.taken.0),
        "author": format!("polder {version}"),
        "timestamp": moment_rfc3339(facts.taken),
        "version": 1,
        "statements": packages.map(of_package).chain(of_libraries(facts)).collect::<Vec<_>>(),
    })
}

/// One statement for each flaw of a library, about the programs that have it: a program is the
/// product, the library a part of it.
fn of_libraries(facts: &Facts) -> Vec<Value> {
    let mut all: BTreeMap<(&Library, &String), Vec<&ApplicationFlaw>> = BTreeMap::new();
    for it in &facts.application_flaws.rows {
        for name in named(&it.flaw.cves, &it.flaw.advisory) {
            all.entry((&it.flaw.library, name)).or_default().push(it);
        }
    }
    let of_library = |((library, name), rows): ((&Library, &String), Vec<&ApplicationFlaw>)| {
        let first = rows.first()?;
        let part = json!({ "@id": library_purl(library) });
        let product = |it: &&ApplicationFlaw| {
            let host = encoded(facts.host_name());
            let at: Vec<String> = it.application.split('/').map(encoded).collect();
            json!({ "@id": format!("file://{host}{}", at.join("/")), "subcomponents": [part.clone()] })
        };
        let products: Vec<Value> = rows.iter().map(product).collect();
        Some(statement(facts, (name, &first.flaw.advisory), &products, &first.flaw.verdict))
    };
    all.into_iter().filter_map(of_library).collect()
}

fn statement(
    facts: &Facts,
    (name, advisory): (&str, &str),
    products: &[Value],
    verdict: &Verdict,
) -> Value {
    let mut statement = json!({
        "vulnerability": { "name": name, "description": advisory },
        "products": products,
        "timestamp": moment_rfc3339(facts.taken),
    });
    let (status, key, text) = match verdict {
        Verdict::FixableNow { fixed } => {
            ("affected", "action_statement", format!("Install {fixed} or newer, which is on offer"))
        }
        Verdict::FixableElsewhere { fixed, from } => {
            ("affected", "action_statement", format!("Install {fixed} or newer from {from}"))
        }
        Verdict::NoFix { state } => {
            ("affected", "action_statement", format!("No fix ({state}): wrap it or do without it"))
        }
        Verdict::Unknown { because } => ("under_investigation", "status_notes", because.clone()),
        Verdict::Stated { because } => ("not_affected", "impact_statement", because.clone()),
    };
    if let Some(fields) = statement.as_object_mut() {
        fields.insert("status".into(), json!(status));
        fields.insert(key.into(), json!(text));
    }
    statement
}

/// The names of a flaw: an advisory of several CVE tells of several flaws.
fn named<'a>(cves: &'a [String], advisory: &'a String) -> &'a [String] {
    match cves.is_empty() {
        true => std::slice::from_ref(advisory),
        false => cves,
    }
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
        assert_eq!(of("Maven", "org.a:b-c", "1.0"), "pkg:maven/org.a/b-c@1.0");
        assert_eq!(of("crates.io", "serde", "1.0.0"), "pkg:cargo/serde@1.0.0");
    }

    #[test]
    fn a_flaw_of_a_library_is_stated_of_the_programs_that_have_it() {
        let library =
            Library { ecosystem: "npm".into(), name: "left".into(), version: "1.0.0".into() };
        let flaw: polder_model::facts::LibraryFlaw = serde_json::from_value(json!({
            "library": library, "advisory": "GHSA-1", "cves": ["CVE-2026-1", "CVE-2026-2"],
            "summary": "", "informational": "", "published": null, "score": null, "vector": "",
            "exploited_since": null, "likelihood": null, "told_by": "t",
            "verdict": "fixable_now", "fixed": "1.0.1",
        }))
        .unwrap();
        let of = |application: &str| ApplicationFlaw {
            application: application.into(),
            flaw: flaw.clone(),
            free: None,
        };
        let rows = vec![of("/srv/a b/package-lock.json"), of("/srv/c/package-lock.json")];
        let facts = Facts { application_flaws: Table::complete(rows), ..Facts::default() };
        let statements = openvex(&facts, "0")["statements"].clone();
        assert_eq!(statements.as_array().unwrap().len(), 2);
        let products = statements[0]["products"].as_array().unwrap();
        assert_eq!(products.len(), 2);
        assert!(products[0]["@id"].as_str().unwrap().ends_with("/srv/a%20b/package-lock.json"));
        assert_eq!(products[0]["subcomponents"][0]["@id"], "pkg:npm/left@1.0.0");
        assert_eq!(statements[0]["status"], "affected");
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
