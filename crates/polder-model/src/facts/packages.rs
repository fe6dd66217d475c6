//! Rows about installed software and what its vendor offers.

use crate::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One installed package.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Package {
    /// Binary package name.
    pub name: String,
    /// Installed version.
    pub version: String,
    /// Architecture.
    pub architecture: String,
    /// Source package name.
    pub source: String,
    /// Source version.
    pub source_version: String,
    /// Whether the administrator holds it back.
    pub held: bool,
    /// Where the installed version is found: `Origin/Suite` of each index that lists it. Repositories
    /// of RPM and Alpine list only the newest: those that have the package.
    pub origins: Vec<String>,
    /// Which package manager knows it: `dpkg`, `rpm`, `apk`.
    pub manager: String,
}

/// What happened to an index file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum IndexState {
    /// It is there and as long as its release file says.
    Whole,
    /// It is there, but no release file says how long it must be.
    Unchecked,
    /// The sources name it, but it is not there.
    Missing,
    /// It is shorter or longer than its release file says.
    Truncated {
        /// Bytes found, uncompressed.
        found_bytes: u64,
        /// Bytes promised, uncompressed.
        promised_bytes: u64,
    },
    /// It could not be read.
    Unreadable {
        /// Why.
        because: String,
    },
}

/// One index of the package manager.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IndexSource {
    /// The index file.
    pub path: String,
    /// File and line of the sources list that names it.
    pub named_by: String,
    /// `Origin` of the release file.
    pub origin: String,
    /// `Label` of the release file.
    pub label: String,
    /// `Suite` of the release file.
    pub suite: String,
    /// `Codename` of the release file.
    pub codename: String,
    /// `Date` of the release file.
    pub date: Option<Timestamp>,
    /// `Valid-Until` of the release file.
    pub valid_until: Option<Timestamp>,
    /// Whether the index file can be relied on.
    pub state: IndexState,
    /// Whether it belongs to the vendor's security archive.
    pub security: bool,
}

/// What an update closes, by the vendor's own changelog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fix {
    /// CVE identifiers named since the installed version.
    pub cves: Vec<String>,
    /// When the first version after the installed one was uploaded.
    pub since: Timestamp,
}

/// An installed package for which a newer version may be installed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Candidate {
    /// Binary package name.
    pub name: String,
    /// Architecture of the installed package.
    pub architecture: String,
    /// Source package name.
    pub source: String,
    /// Installed version.
    pub installed: String,
    /// Version the package manager would install.
    pub candidate: String,
    /// Name of the package that takes its place, where that has another name (RPM's `Obsoletes`); the
    /// candidate is a version of it then. Else empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub replaced_by: String,
    /// Version of the source package it is built from.
    #[serde(default)]
    pub candidate_source_version: String,
    /// `Origin/Suite` of each index that offers it.
    pub offered_by: Vec<String>,
    /// Whether the vendor's security archive offers it.
    pub security: bool,
    /// Whether the administrator holds the package back.
    pub held: bool,
    /// Why a plain upgrade, which installs nothing new and removes nothing, leaves it out or may do so.
    #[serde(default)]
    pub kept_back: Vec<String>,
    /// Bytes to download.
    pub download_bytes: u64,
    /// What it closes and since when, where a changelog is at hand.
    pub fix: Option<Fix>,
    /// It was on offer no later than this: the date of the index that offers it.
    pub offered_no_later_than: Option<Timestamp>,
}

impl Candidate {
    /// The candidate as it is shown: its version, behind its name where that is another one.
    pub fn offer(&self) -> String {
        [&*self.replaced_by, &*self.candidate].join(" ").trim_start().to_string()
    }
}

/// One past upgrade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Upgrade {
    /// When.
    pub when: Timestamp,
    /// Binary package name.
    pub name: String,
    /// Version before.
    pub from: String,
    /// Version after.
    pub to: String,
}

/// What can be done about a known flaw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// A configured source offers a version without it.
    FixableNow {
        /// The first version without it.
        fixed: String,
    },
    /// A version without it exists, but no configured source offers it.
    FixableElsewhere {
        /// The first version without it.
        fixed: String,
        /// Where it can be had.
        from: String,
    },
    /// No version without it exists.
    NoFix {
        /// What the vendor says: postponed, ignored, end of life, undetermined, unimportant.
        state: String,
    },
    /// Whether the installed version has it cannot be told.
    Unknown {
        /// Why.
        because: String,
    },
    /// Somebody states that it is not there, or cannot be used.
    Stated {
        /// Who, and why.
        because: String,
    },
}

/// A known flaw that installed packages of one source have, or may have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Flaw {
    /// Name of the advisory.
    pub advisory: String,
    /// Names in the CVE list.
    pub cves: Vec<String>,
    /// Installed packages, all of the version below.
    pub packages: Vec<String>,
    /// Source package.
    pub source: String,
    /// Installed version that was compared.
    pub installed: String,
    /// What can be done.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// When the advisory was published.
    pub published: Option<Timestamp>,
    /// CVSS base score, 0 to 10, where a vector is known.
    pub score: Option<f64>,
    /// Whether an attacker can use it over the network without anybody's help.
    pub automatable: bool,
    /// Whether it gives confidentiality, integrity and availability at once.
    pub total: bool,
    /// When it came into the catalogue of exploited flaws.
    pub exploited_since: Option<Timestamp>,
    /// Probability that it is exploited somewhere within thirty days (EPSS).
    pub likelihood: Option<f64>,
    /// The feed that tells it.
    pub told_by: String,
}

/// A source package that its distribution supports no more, or only for some uses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unsupported {
    /// Source package.
    pub source: String,
    /// Its packages that are installed.
    pub packages: Vec<String>,
    /// When support ended or will end; none where it is limited.
    pub ended: Option<Timestamp>,
    /// Why, and what is still supported.
    pub note: String,
    /// The list that tells it.
    pub told_by: String,
}

/// How often a source package needed a fix, and how long this host ran without.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrackRecord {
    /// Source package.
    pub source: String,
    /// Its packages that are installed.
    pub packages: Vec<String>,
    /// Months that are counted.
    pub months: u32,
    /// The newest record of the feed, with which they end.
    pub until: Timestamp,
    /// Advisories about installed packages.
    pub advisories: u32,
    /// Those of them against attacks over the network, as their CVSS vectors say.
    pub remote: u32,
    /// Those of them that are in the catalogue of exploited flaws.
    pub exploited: u32,
    /// Whether nine tenths of the source packages with any advisory have fewer.
    pub is_worst_tenth: bool,
    /// Days from an advisory to the fix being installed here, the median.
    pub days_unfixed: Option<i64>,
    /// Advisories that the median rests on; the log of upgrades does not tell of the others.
    pub days_measured: u32,
    /// Programs that do the same work.
    pub alternatives: Vec<Alternative>,
}

/// A program that does the same work, with its own record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Alternative {
    /// Source package.
    pub source: String,
    /// Advisories in the same months.
    pub advisories: u32,
}
