//! Libraries of Java: what Gradle locked, what a project of Maven asks for, and what archives say of
//! themselves.

use super::{Found, LockError, Locked};
use quick_xml::Reader;
use quick_xml::events::Event;
use std::collections::BTreeMap;

/// Elements within elements of a project.
const DEPTH_MAX: usize = 64;

/// Lines `group:artifact:version=configurations` ("Locking dependency versions" of Gradle).
pub(super) fn gradle(text: &str, found: &mut Found) -> Result<(), LockError> {
    let mut is_one = false;
    for line in text.lines().map(str::trim).filter(|it| !it.is_empty() && !it.starts_with('#')) {
        let Some((name, _)) = line.split_once('=') else {
            return Err(LockError::new("a line names no configuration"));
        };
        is_one = true;
        if let Some((name, version)) = name.rsplit_once(':') {
            found.add(name, version);
        }
    }
    is_one.then_some(()).ok_or_else(|| LockError::new("it locks nothing"))
}

/// The dependencies that a project names (POM reference). What these need in turn, and what a parent
/// says, stands elsewhere.
pub(super) fn pom(text: &str, found: &mut Found) -> Result<(), LockError> {
    let mut reader = Reader::from_str(text);
    let mut path: Vec<String> = Vec::new();
    let mut properties: BTreeMap<String, String> = BTreeMap::new();
    let mut dependency: BTreeMap<String, String> = BTreeMap::new();
    let mut all = Vec::new();
    let mut is_project = false;
    loop {
        match reader.read_event().map_err(LockError::new)? {
            Event::Start(tag) => {
                path.push(String::from_utf8_lossy(tag.local_name().as_ref()).into_owned());
                if path.len() > DEPTH_MAX {
                    return Err(LockError::new("elements too deep within each other"));
                }
                is_project |= path == ["project"];
            }
            Event::End(_) => {
                if path.ends_with(&["dependencies".into(), "dependency".into()]) {
                    let is_managed = path.iter().any(|it| it == "dependencyManagement");
                    all.push((std::mem::take(&mut dependency), is_managed));
                }
                path.pop();
            }
            Event::Text(text) => {
                let text = text.decode().map_err(LockError::new)?.trim().to_string();
                let names: Vec<&str> = path.iter().map(String::as_str).collect();
                match names.as_slice() {
                    _ if text.is_empty() => {}
                    ["project", "properties", name] => {
                        properties.insert((*name).into(), text);
                    }
                    ["project", name @ ("version" | "groupId")]
                    | ["project", "parent", name @ ("version" | "groupId")] => {
                        properties.entry(format!("project.{name}")).or_insert(text);
                    }
                    [.., "dependencies", "dependency", name] => {
                        dependency.insert((*name).into(), text);
                    }
                    _ => {}
                }
            }
            Event::Eof => break,
            _ => {}
        }
    }
    if !is_project || !path.is_empty() {
        return Err(LockError::new("it is no project of Maven, or cut short"));
    }
    found.incomplete("it does not name what its dependencies need");
    asked_for(&all, &properties, found);
    Ok(())
}

/// Dependencies as a project writes them, with whether they only say which version others are to have.
fn asked_for(
    all: &[(BTreeMap<String, String>, bool)],
    properties: &BTreeMap<String, String>,
    found: &mut Found,
) {
    let value = |it: &BTreeMap<String, String>, key: &str| -> Option<String> {
        let text = it.get(key)?;
        match text.strip_prefix("${").and_then(|it| it.strip_suffix('}')) {
            Some(name) => properties.get(name).cloned(),
            None => Some(text.clone()),
        }
    };
    let name = |it: &BTreeMap<String, String>| {
        Some(format!("{}:{}", value(it, "groupId")?, value(it, "artifactId")?))
    };
    let managed: BTreeMap<String, String> = all
        .iter()
        .filter(|it| it.1)
        .filter_map(|(it, _)| Some((name(it)?, value(it, "version")?)))
        .collect();
    for (it, _) in all.iter().filter(|it| !it.1) {
        let Some(name) = name(it) else {
            found.unpinned();
            continue;
        };
        match value(it, "version").or_else(|| managed.get(&name).cloned()) {
            // A range is no version.
            Some(version) if !version.starts_with(['[', '(', '$']) => found.add(&name, &version),
            _ => found.unpinned(),
        }
    }
}

/// Lines `group`, `artifact`, `version`, tabs between them, of what archives say of themselves; a line
/// with a name only is an archive that tells nothing of a registry.
pub(super) fn archives(text: &str) -> Locked {
    let mut found = Found { ecosystem: "Maven", locked: Locked::default() };
    for line in text.lines() {
        match line.split('\t').collect::<Vec<_>>().as_slice() {
            [group, artifact, version] => found.add(&format!("{group}:{artifact}"), version),
            _ => found.elsewhere(),
        }
    }
    found.locked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::LockKind;

    fn read(path: &str, text: &str) -> (Vec<String>, usize, usize) {
        let locked = LockKind::of(path).unwrap().read(text).unwrap();
        let names = locked.libraries.iter().map(|it| format!("{} {}", it.name, it.version));
        (names.collect(), locked.unpinned, locked.elsewhere)
    }

    #[test]
    fn what_gradle_locked_and_what_a_project_asks_for() {
        let text =
            "# comment\ncom.google.guava:guava:31.1-jre=compileClasspath\norg.a:b:2=x,y\nempty=\n";
        let wanted = ["com.google.guava:guava 31.1-jre", "org.a:b 2"].map(String::from).to_vec();
        assert_eq!(read("gradle.lockfile", text), (wanted, 0, 0));
        let text = "<?xml version='1.0'?><project xmlns='http://maven.apache.org/POM/4.0.0'>
            <properties><log.version>2.14.1</log.version></properties>
            <dependencyManagement><dependencies><dependency><groupId>m</groupId><artifactId>n</artifactId>
              <version>3</version></dependency></dependencies></dependencyManagement>
            <dependencies>
              <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-core</artifactId>
                <version>${log.version}</version></dependency>
              <dependency><groupId>m</groupId><artifactId>n</artifactId></dependency>
              <dependency><groupId>x</groupId><artifactId>y</artifactId><version>[1,2)</version></dependency>
              <dependency><groupId>p</groupId><artifactId>q</artifactId></dependency>
            </dependencies></project>";
        let wanted = ["m:n 3", "org.apache.logging.log4j:log4j-core 2.14.1"].map(String::from);
        assert_eq!(read("pom.xml", text), (wanted.to_vec(), 2, 0));
        for text in ["<html></html>", "<project><dependencies>", "<project", "x"] {
            assert!(LockKind::of("pom.xml").unwrap().read(text).is_err(), "{text}");
        }
        assert!(LockKind::of("gradle.lockfile").unwrap().read("<html>\n").is_err());
    }

    #[test]
    fn archives_tell_of_their_libraries() {
        let found = archives("org.a\tb\t1.0\nplain.jar\n");
        assert_eq!(
            found.libraries.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(),
            ["org.a:b"]
        );
        assert_eq!(found.elsewhere, 1);
    }
}
