//! Metadata of RPM repositories: `repomd.xml`, primary, updateinfo and modules (createrepo_c(8)).

use super::{INDEX_BYTES_MAX, RECORD_BYTES_MAX, Stanzas};
use crate::{ErrorKind, HostError};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde::Deserialize;
use serde_yaml_ng::Value;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};

/// Counts what is read, and ends when one event takes too much of it.
struct Bounded<'a, R> {
    inner: BufReader<R>,
    all: &'a Cell<u64>,
    event: &'a Cell<usize>,
}

impl<R: Read> Read for Bounded<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl<R: Read> BufRead for Bounded<'_, R> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        if self.event.get() > RECORD_BYTES_MAX || self.all.get() > INDEX_BYTES_MAX {
            return Err(std::io::Error::other("an element without an end"));
        }
        self.inner.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.event.set(self.event.get() + count);
        self.all.set(self.all.get() + count as u64);
        self.inner.consume(count);
    }
}

/// A record of an index while it is read.
#[derive(Default)]
struct Record {
    /// What was said of it, by the element that said it.
    said: Vec<(&'static str, String)>,
    cves: Vec<String>,
    /// Name, version and architecture of the packages an advisory is about, with their module.
    packages: Vec<[String; 4]>,
    module: String,
    /// Packages whose place it takes: a name, and as a rule below which version.
    obsoletes: Vec<(String, String)>,
    in_obsoletes: bool,
}

impl Record {
    fn of(&self, name: &str) -> &str {
        self.said.iter().find(|it| it.0 == name).map_or("", |it| &it.1)
    }

    fn say(&mut self, name: &'static str, value: String) {
        if self.of(name).is_empty() {
            self.said.push((name, value));
        }
    }
}

pub(super) fn filter(
    what: &str,
    reader: impl Read,
    names: &BTreeSet<String>,
) -> Result<Stanzas, HostError> {
    let failed = |because: String| HostError::new(ErrorKind::Other, what, because);
    let (all, event) = (Cell::new(0), Cell::new(0));
    let bounded =
        Bounded { inner: BufReader::with_capacity(1 << 18, reader), all: &all, event: &event };
    let mut reader = Reader::from_reader(bounded);
    let (mut stanzas, mut record) = (Stanzas::default(), Record::default());
    let (mut text, mut depth) = (String::new(), 0_usize);
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        event.set(0);
        match reader.read_event_into(&mut buffer).map_err(|error| failed(error.to_string()))? {
            Event::Start(it) => {
                depth += 1;
                text.clear();
                start(&it, &mut record);
            }
            Event::Empty(it) => {
                start(&it, &mut record);
                end(it.local_name().as_ref(), "", &mut record, names, &mut stanzas);
            }
            Event::Text(it) if text.len() < 4096 => {
                text.push_str(&it.decode().unwrap_or_default());
            }
            Event::End(it) => {
                depth = depth.saturating_sub(1);
                end(it.local_name().as_ref(), &text, &mut record, names, &mut stanzas);
                text.clear();
            }
            Event::Eof if depth > 0 => return Err(failed("the index ends too early".into())),
            Event::Eof => break,
            _ => {}
        }
    }
    stanzas.bytes = all.get();
    Ok(stanzas)
}

/// An attribute as text; what is not there is empty.
fn attribute(element: &BytesStart<'_>, name: &str) -> String {
    let found = element.try_get_attribute(name).ok().flatten();
    found.map_or_else(String::new, |it| String::from_utf8_lossy(&it.value).into_owned())
}

/// `epoch:version-release`.
fn version(element: &BytesStart<'_>, release: &str) -> String {
    let epoch = attribute(element, "epoch");
    let epoch = if epoch.is_empty() { "0" } else { &epoch };
    let version = attribute(element, if release == "rel" { "ver" } else { "version" });
    format!("{epoch}:{version}-{}", attribute(element, release))
}

/// Which versions an entry is about, as ` < 1:2.0-1`; nothing means each. The release may be left out.
fn below(element: &BytesStart<'_>) -> String {
    let sign = match attribute(element, "flags").as_str() {
        "LT" => "<",
        "LE" => "<=",
        "EQ" => "=",
        "GE" => ">=",
        "GT" => ">",
        _ => return String::new(),
    };
    format!(" {sign} {}", version(element, "rel").trim_end_matches('-'))
}

fn start(element: &BytesStart<'_>, record: &mut Record) {
    let of = |name| attribute(element, name);
    match element.local_name().as_ref() {
        b"package" if of("name").is_empty() => *record = Record::default(),
        b"package" => {
            let module = record.module.clone();
            record.packages.push([of("name"), version(element, "release"), of("arch"), module]);
        }
        b"update" => {
            *record = Record::default();
            record.say("Type", of("type"));
            record.say("Status", of("status"));
        }
        b"data" => {
            *record = Record::default();
            record.say("Data", of("type"));
        }
        b"location" => record.say("Href", of("href")),
        b"version" => record.say("Version", version(element, "rel")),
        b"size" => record.say("Size", of("package")),
        b"time" => record.say("Built", of("build")),
        b"issued" => record.say("Issued", of("date")),
        b"reference" if of("type") == "cve" => record.cves.push(of("id")),
        b"collection" => record.module.clear(),
        b"obsoletes" => record.in_obsoletes = true,
        b"entry" if record.in_obsoletes => record.obsoletes.push((of("name"), below(element))),
        b"module" => record.module = format!("{}:{}", of("name"), of("stream")),
        _ => {}
    }
}

fn end(
    element: &[u8],
    text: &str,
    record: &mut Record,
    names: &BTreeSet<String>,
    stanzas: &mut Stanzas,
) {
    let mut say = |name| record.say(name, text.trim().to_string());
    match element {
        b"name" => say("Package"),
        b"arch" => say("Architecture"),
        b"sourcerpm" => say("Source"),
        b"id" => say("Advisory"),
        b"obsoletes" => record.in_obsoletes = false,
        b"severity" => say("Severity"),
        b"open-size" => say("Open-Size"),
        b"timestamp" => say("Timestamp"),
        b"package" if record.packages.is_empty() => {
            stanzas.count += 1;
            let obsoletes = std::mem::take(&mut record.obsoletes);
            let obsoletes = obsoletes.into_iter().filter(|it| names.contains(&it.0));
            let obsoletes: Vec<String> = obsoletes.map(|(name, below)| name + &below).collect();
            if names.contains(record.of("Package")) || !obsoletes.is_empty() {
                let fields = ["Package", "Version", "Architecture", "Source", "Size", "Built"];
                fields.iter().for_each(|it| stanzas.field(it, record.of(it)));
                stanzas.field("Obsoletes", &obsoletes.join(", "));
                stanzas.end();
            }
        }
        b"update" => {
            stanzas.count += 1;
            let packages = std::mem::take(&mut record.packages);
            for [name, version, architecture, module] in packages {
                if names.contains(&name) && record.of("Status") != "testing" {
                    stanzas.field("Package", &name);
                    stanzas.field("Version", &version);
                    stanzas.field("Architecture", &architecture);
                    stanzas.field("Module", &module);
                    let fields = ["Advisory", "Type", "Severity", "Issued"];
                    fields.iter().for_each(|it| stanzas.field(it, record.of(it)));
                    stanzas.field("CVE", &record.cves.join(" "));
                    stanzas.end();
                }
            }
        }
        // Of `repomd.xml` all is kept: it is about no package.
        b"data" => {
            stanzas.count += 1;
            let fields = ["Data", "Href", "Open-Size", "Timestamp"];
            fields.iter().for_each(|it| stanzas.field(it, record.of(it)));
            stanzas.end();
        }
        _ => {}
    }
}

/// A document of `modules.yaml`: a stream of a module, or the default one (modulemd v2).
#[derive(Deserialize)]
struct Document {
    document: Option<String>,
    #[serde(default)]
    data: Data,
}

#[derive(Default, Deserialize)]
struct Data {
    name: Option<Value>,
    module: Option<Value>,
    stream: Option<Value>,
    #[serde(default)]
    artifacts: Artifacts,
}

#[derive(Default, Deserialize)]
struct Artifacts {
    #[serde(default)]
    rpms: Vec<String>,
}

/// A stanza for each stream, with its packages of these names as `name-epoch:version-release.arch`.
pub(super) fn modules(
    what: &str,
    reader: impl Read,
    names: &BTreeSet<String>,
) -> Result<Stanzas, HostError> {
    let failed = |because: String| HostError::new(ErrorKind::Other, what, because);
    let mut reader = BufReader::new(reader.take(INDEX_BYTES_MAX));
    let (mut stanzas, mut document) = (Stanzas::default(), String::new());
    loop {
        let start = document.len();
        let space = (RECORD_BYTES_MAX - start) as u64;
        let read = reader.by_ref().take(space).read_line(&mut document);
        let read = read.map_err(|error| failed(error.to_string()))?;
        stanzas.bytes += read as u64;
        let line = document.get(start..).unwrap_or_default();
        if read > 0 && !line.starts_with("---") && line.trim_end() != "..." {
            if document.len() >= RECORD_BYTES_MAX {
                return Err(HostError::new(ErrorKind::TooLarge, what, "a module without an end"));
            }
            continue;
        }
        document.truncate(start);
        module(&document, names, &mut stanzas).map_err(failed)?;
        document.clear();
        if read == 0 {
            return Ok(stanzas);
        }
    }
}

fn module(text: &str, names: &BTreeSet<String>, stanzas: &mut Stanzas) -> Result<(), String> {
    if text.trim().is_empty() {
        return Ok(());
    }
    stanzas.count += 1;
    let found: Document = serde_yaml_ng::from_str(text).map_err(|error| error.to_string())?;
    let text_of = |value: Option<Value>| match value {
        Some(Value::String(text)) => text,
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let is_default = match found.document.as_deref() {
        Some("modulemd-defaults") => true,
        Some("modulemd") => false,
        _ => return Ok(()),
    };
    stanzas.field("Module", &text_of(found.data.name.or(found.data.module)));
    stanzas.field(if is_default { "Default" } else { "Stream" }, &text_of(found.data.stream));
    let name_of = |it: &str| {
        let mut parts = it.rsplitn(3, '-').skip(2);
        parts.next().map(str::to_string)
    };
    let about = |it: &&String| name_of(it).is_some_and(|name| names.contains(&name));
    let packages: Vec<&str> =
        found.data.artifacts.rpms.iter().filter(about).map(String::as_str).collect();
    stanzas.field("Packages", &packages.join(" "));
    stanzas.end();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIMARY: &str = r#"<?xml version="1.0"?>
<metadata xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm" packages="3">
<package type="rpm"><name>bash</name><arch>x86_64</arch><version epoch="0" ver="5.1.8" rel="6.el9"/>
<time file="1" build="1650000000"/><size package="1700" installed="7"/><location href="Packages/bash.rpm"/>
<format><rpm:sourcerpm>bash-5.1.8-6.el9.src.rpm</rpm:sourcerpm><rpm:provides><rpm:entry name="bash"/></rpm:provides></format></package>
<package type="rpm"><name>other</name><arch>noarch</arch><version epoch="1" ver="1" rel="1"/></package>
<package type="rpm"><name>brush</name><arch>noarch</arch><version epoch="0" ver="2" rel="1"/><format><rpm:obsoletes>
<rpm:entry name="bash" flags="LT" epoch="0" ver="6"/><rpm:entry name="csh"/></rpm:obsoletes><rpm:requires><rpm:entry name="bash"/></rpm:requires></format></package>
</metadata>"#;

    const UPDATES: &str = r#"<updates><update status="final" type="security"><id>RH-1</id><severity>Important</severity>
<issued date="2024-03-01 00:00:00"/><references><reference type="cve" id="CVE-2024-1"/><reference type="bugzilla" id="7"/></references>
<pkglist><collection><module name="m" stream="2"/><package name="bash" version="5.1.8" release="7.el9" epoch="0" arch="x86_64"><filename>b</filename></package>
<package name="zsh" version="1" release="1" arch="x86_64"/></collection></pkglist></update></updates>"#;

    fn bash() -> BTreeSet<String> {
        BTreeSet::from(["bash".to_string()])
    }

    #[test]
    fn packages_and_advisories_are_kept_by_name_and_none_of_a_cut_file() {
        let found = filter("t", PRIMARY.as_bytes(), &bash()).unwrap();
        assert_eq!((found.count, found.bytes), (3, PRIMARY.len() as u64));
        assert_eq!(
            found.text,
            "Package: bash\nVersion: 0:5.1.8-6.el9\nArchitecture: x86_64\nSource: bash-5.1.8-6.el9.src.rpm\nSize: 1700\nBuilt: 1650000000\n\nPackage: brush\nVersion: 0:2-1\nArchitecture: noarch\nObsoletes: bash < 0:6\n\n"
        );
        let found = filter("t", UPDATES.as_bytes(), &bash()).unwrap();
        assert_eq!(
            found.text,
            "Package: bash\nVersion: 0:5.1.8-7.el9\nArchitecture: x86_64\nModule: m:2\nAdvisory: RH-1\nType: security\nSeverity: Important\nIssued: 2024-03-01 00:00:00\nCVE: CVE-2024-1\n\n"
        );
        for text in [PRIMARY, UPDATES] {
            for end in 30..text.len() {
                assert!(filter("t", &text.as_bytes()[..end], &bash()).is_err(), "cut at {end}");
            }
        }
    }

    #[test]
    fn an_element_without_an_end_takes_no_room_without_an_end() {
        let start = std::io::Cursor::new(b"<a b=\"".to_vec());
        let endless = start.chain(std::io::repeat(b'x'));
        assert!(filter("t", endless, &bash()).is_err());
        let endless = std::io::Cursor::new(b"---\n".to_vec()).chain(std::io::repeat(b'x'));
        assert!(modules("t", endless, &bash()).is_err());
    }

    #[test]
    fn modules_have_streams_and_a_default() {
        let text = "---\ndocument: modulemd\nversion: 2\ndata:\n  name: m\n  stream: \"2\"\n  artifacts:\n    rpms:\n    - bash-0:5.1.8-7.el9.x86_64\n    - bash-doc-0:1-1.noarch\n...\n---\ndocument: modulemd-defaults\nversion: 1\ndata:\n  module: m\n  stream: 2\n...\n";
        let found = modules("t", text.as_bytes(), &bash()).unwrap();
        assert_eq!(
            found.text,
            "Module: m\nStream: 2\nPackages: bash-0:5.1.8-7.el9.x86_64\n\nModule: m\nDefault: 2\n\n"
        );
    }
}
