//! Greenbone's notus: fixed versions of binary packages, by product.

use super::content::{FeedError, FlawFeed, RawAdvisory, RawRow, RawRule, day};
use crate::index::Names;
use crate::order::Order;
use polder_model::printable_str;
use serde::Deserialize;

#[derive(Deserialize)]
struct Product {
    package_type: String,
    product_name: String,
    advisories: Vec<Fixes>,
}

#[derive(Deserialize)]
struct Fixes {
    oid: String,
    fixed_packages: Vec<Fixed>,
}

#[derive(Deserialize)]
struct Fixed {
    name: Option<String>,
    full_version: Option<String>,
    /// `name-version-release.arch`, for RPM.
    full_name: Option<String>,
    specifier: String,
}

pub(super) fn read(text: &str) -> Result<FlawFeed, FeedError> {
    let product: Product = serde_json::from_str(text).map_err(FeedError::damaged)?;
    let order = match product.package_type.as_str() {
        "deb" => Order::Deb,
        "rpm" => Order::Rpm,
        other => {
            let because = format!("notus of `{}` packages", printable_str(other));
            return Err(FeedError::Unknown { because });
        }
    };
    let mut feed = FlawFeed {
        covers: product.product_name,
        maker: "notus",
        order,
        names: Names::Binary,
        advisories: Vec::new(),
        rows: Vec::new(),
    };
    for fixes in product.advisories {
        let advisory = u32::try_from(feed.advisories.len()).unwrap_or(u32::MAX);
        for fixed in fixes.fixed_packages {
            if fixed.specifier != ">=" {
                let because = format!("`{}` of {} is no specifier", fixed.specifier, fixes.oid);
                return Err(FeedError::damaged(because));
            }
            let parts = match (fixed.name, fixed.full_version, &fixed.full_name) {
                (Some(name), Some(version), _) => Some((name, version)),
                (_, _, Some(full)) => split(full),
                _ => None,
            };
            let Some((package, version)) = parts else {
                return Err(FeedError::damaged(format!("a package of {} has no name", fixes.oid)));
            };
            feed.rows.push(RawRow { package, advisory, rule: RawRule::Before(version) });
        }
        feed.advisories.push(RawAdvisory { id: fixes.oid, ..RawAdvisory::default() });
    }
    Ok(feed)
}

/// Name and `version-release` of `name-version-release.arch`.
fn split(full: &str) -> Option<(String, String)> {
    let (rest, _arch) = full.rsplit_once('.')?;
    let (rest, release) = rest.rsplit_once('-')?;
    let (name, version) = rest.rsplit_once('-')?;
    Some((name.to_string(), format!("{version}-{release}")))
}

#[derive(Deserialize)]
struct Listed {
    oid: String,
    advisory_id: String,
    #[serde(default)]
    source: String,
    #[serde(default)]
    cves: Vec<String>,
    #[serde(default)]
    creation_date: String,
    severity_vector: Option<String>,
}

/// What the same feed says of its advisories elsewhere.
pub(super) fn catalogue(text: &str) -> Result<Vec<(String, RawAdvisory)>, FeedError> {
    let items: Vec<Listed> = serde_json::from_str(text).map_err(FeedError::damaged)?;
    let entry = |it: Listed| {
        let advisory = RawAdvisory {
            id: it.advisory_id,
            cves: it.cves,
            published: day(&it.creation_date),
            vector: it.severity_vector.unwrap_or_default(),
            summary: it.source,
            informational: String::new(),
        };
        (it.oid, advisory)
    };
    Ok(items.into_iter().map(entry).collect())
}
