//! Libraries of programming languages.

use super::Verdict;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A library of one version, as a registry of its language names it.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct Library {
    /// The registry, as the OSV schema names it: `crates.io`, `npm`, `PyPI`.
    pub ecosystem: String,
    /// Its name there.
    pub name: String,
    /// Its version.
    pub version: String,
}

impl Library {
    /// What package URLs call its registry (package-url specification).
    pub fn purl_type(&self) -> &'static str {
        match self.ecosystem.as_str() {
            "crates.io" => "cargo",
            "PyPI" => "pypi",
            "Go" => "golang",
            "Packagist" => "composer",
            "RubyGems" => "gem",
            "Maven" => "maven",
            _ => "npm",
        }
    }
}

/// A program of the owner's that runs, with the libraries it is built with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Application {
    /// The lock file, the folder of installed libraries, or the program itself that tells of them; in a
    /// container with its name before.
    pub path: String,
    /// The container it runs in.
    pub container: Option<String>,
    /// Who owns what tells of them.
    pub owner_uid: u32,
    /// The registry they come from, as the OSV schema names it.
    pub ecosystem: String,
    /// Processes that run it.
    pub pids: Vec<u32>,
    /// How that is known.
    pub because: String,
    /// The libraries.
    pub libraries: Vec<Library>,
    /// Why there may be others.
    pub unknown: Option<String>,
}

/// A known flaw of a library, as one record tells it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LibraryFlaw {
    /// The library.
    pub library: Library,
    /// Name of the advisory.
    pub advisory: String,
    /// Names in the CVE list.
    pub cves: Vec<String>,
    /// What it is.
    pub summary: String,
    /// Why it is no vulnerability in itself: `unmaintained`, `unsound`; empty where it is one.
    pub informational: String,
    /// When it was published, in seconds since 1970.
    pub published: Option<i64>,
    /// Base score of CVSS, zero to ten.
    pub score: Option<f64>,
    /// Its CVSS vector.
    pub vector: String,
    /// Since when it is in the catalogue of exploited flaws, in seconds since 1970.
    pub exploited_since: Option<i64>,
    /// Probability that it is exploited somewhere within thirty days.
    pub likelihood: Option<f64>,
    /// What can be done; on offer is what the registry has.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// The feed.
    pub told_by: String,
}

/// A known flaw in a library of a program that runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ApplicationFlaw {
    /// Path of the application.
    pub application: String,
    /// The flaw.
    #[serde(flatten)]
    pub flaw: LibraryFlaw,
    /// The nearest later version of the library without any known flaw.
    pub free: Option<String>,
}
