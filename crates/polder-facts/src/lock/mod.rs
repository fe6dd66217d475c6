//! Lock files: which libraries a program is built with, read from the text that pins them.

mod find;
mod java;
mod node;
mod other;
mod program;
mod python;
mod rust;

pub(crate) use find::is_archive;
pub use find::{LockFile, LockFiles};

use polder_model::facts::Library;
use std::collections::BTreeSet;
use std::fmt::Display;

/// A form of lock file, or of the note an installer leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockKind {
    /// `Cargo.lock`.
    Cargo,
    /// `package-lock.json`, `npm-shrinkwrap.json`, and `node_modules/.package-lock.json`.
    Npm,
    /// `yarn.lock`, of Yarn 1 and of later ones.
    Yarn,
    /// `pnpm-lock.yaml`.
    Pnpm,
    /// `poetry.lock`, `uv.lock` and `pdm.lock`.
    Poetry,
    /// `pylock.toml` (PEP 751).
    Pylock,
    /// `Pipfile.lock`.
    Pipfile,
    /// `requirements.txt` and its kin.
    Requirements,
    /// `METADATA` or `PKG-INFO` of an installed Python package.
    Metadata,
    /// `composer.lock` and `vendor/composer/installed.json`.
    Composer,
    /// `go.mod`.
    Go,
    /// `Gemfile.lock` and `gems.locked`.
    Gems,
    /// `gradle.lockfile` and `buildscript-gradle.lockfile`.
    Gradle,
    /// `pom.xml`.
    Pom,
}

/// What a lock file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locked {
    /// Libraries of registries, sorted, each once.
    pub libraries: BTreeSet<Library>,
    /// Libraries named without a version.
    pub unpinned: usize,
    /// Libraries from a repository, an address or another registry: no feed names them. Folders of
    /// the project itself do not count.
    pub elsewhere: usize,
    /// Why libraries may be built in that the file does not name.
    pub incomplete: Option<&'static str>,
}

/// Why a lock file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockError(String);

impl LockError {
    fn new(because: impl Display) -> Self {
        // Parsers quote the line at fault below the reason.
        let text = because.to_string();
        Self(text.lines().next().unwrap_or_default().to_string())
    }
}

impl Display for LockError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for LockError {}

impl LockKind {
    /// The form of the file at a path; none where it is no lock file.
    pub fn of(path: &str) -> Option<Self> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let is_requirements = name.contains("requirements") && name.ends_with(".txt");
        Some(match name {
            "Cargo.lock" => Self::Cargo,
            "package-lock.json" | "npm-shrinkwrap.json" | ".package-lock.json" => Self::Npm,
            "yarn.lock" => Self::Yarn,
            "pnpm-lock.yaml" => Self::Pnpm,
            "poetry.lock" | "uv.lock" | "pdm.lock" => Self::Poetry,
            "Pipfile.lock" => Self::Pipfile,
            _ if name.ends_with(".egg-info") => Self::Metadata,
            "METADATA" if folder.ends_with(".dist-info") => Self::Metadata,
            "PKG-INFO" if folder.ends_with(".egg-info") => Self::Metadata,
            "PKG-INFO" if folder.ends_with("/EGG-INFO") => Self::Metadata,
            "composer.lock" => Self::Composer,
            "installed.json" if folder.ends_with("composer") => Self::Composer,
            "go.mod" => Self::Go,
            "Gemfile.lock" | "gems.locked" => Self::Gems,
            "gradle.lockfile" | "buildscript-gradle.lockfile" => Self::Gradle,
            "pom.xml" => Self::Pom,
            _ if is_requirements => Self::Requirements,
            _ if name.starts_with("pylock.") && name.ends_with(".toml") => Self::Pylock,
            _ => return None,
        })
    }

    /// The registry its libraries come from, as the OSV schema names it.
    pub fn ecosystem(self) -> &'static str {
        match self {
            Self::Cargo => "crates.io",
            Self::Npm | Self::Yarn | Self::Pnpm => "npm",
            Self::Poetry | Self::Pylock | Self::Pipfile | Self::Requirements | Self::Metadata => {
                "PyPI"
            }
            Self::Composer => "Packagist",
            Self::Go => "Go",
            Self::Gems => "RubyGems",
            Self::Gradle | Self::Pom => "Maven",
        }
    }

    /// Reads the text of such a file.
    pub fn read(self, text: &str) -> Result<Locked, LockError> {
        let text = text.trim_start_matches('\u{feff}');
        if text.trim().is_empty() && self != Self::Requirements {
            return Err(LockError::new("it is empty"));
        }
        let mut found = Found { ecosystem: self.ecosystem(), locked: Locked::default() };
        match self {
            Self::Cargo => rust::cargo(text, &mut found)?,
            Self::Npm => node::npm(text, &mut found)?,
            Self::Yarn => node::yarn(text, &mut found)?,
            Self::Pnpm => node::pnpm(text, &mut found)?,
            Self::Poetry | Self::Pylock => python::tables(text, &mut found)?,
            Self::Pipfile => python::pipfile(text, &mut found)?,
            Self::Requirements => python::requirements(text, &mut found),
            Self::Metadata => python::metadata(text, &mut found)?,
            Self::Composer => other::composer(text, &mut found)?,
            Self::Go => other::go(text, &mut found)?,
            Self::Gems => other::gems(text, &mut found)?,
            Self::Gradle => java::gradle(text, &mut found)?,
            Self::Pom => java::pom(text, &mut found)?,
        }
        Ok(found.locked)
    }
}

/// What was found so far.
struct Found {
    ecosystem: &'static str,
    locked: Locked,
}

impl Found {
    /// A library of the registry; one whose version does not start with a digit comes from elsewhere.
    fn add(&mut self, name: &str, version: &str) {
        let version = version.trim_start_matches(['v', '=']);
        if name.is_empty() || !version.starts_with(|it: char| it.is_ascii_digit()) {
            self.elsewhere();
            return;
        }
        self.locked.libraries.insert(Library {
            ecosystem: self.ecosystem.into(),
            name: name.into(),
            version: version.into(),
        });
    }

    fn elsewhere(&mut self) {
        self.locked.elsewhere += 1;
    }

    fn incomplete(&mut self, because: &'static str) {
        self.locked.incomplete = Some(because);
    }

    fn unpinned(&mut self) {
        self.locked.unpinned += 1;
    }
}

#[cfg(test)]
mod tests;
