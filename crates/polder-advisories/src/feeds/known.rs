//! Which flaws are exploited (CISA KEV), and which probably will be (FIRST EPSS).

use super::content::{Exploited, FeedError, Predicted, day};
use serde::Deserialize;

/// One line in so many may be wrong.
const WRONG_ONE_IN: usize = 1_000;

#[derive(Deserialize)]
struct Catalogue {
    count: Option<usize>,
    vulnerabilities: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(rename = "cveID")]
    cve: String,
    date_added: String,
    due_date: String,
    #[serde(default)]
    known_ransomware_campaign_use: String,
}

/// The catalogue; one with fewer entries than it counts is damaged.
pub(super) fn exploited(text: &str) -> Result<Vec<Exploited>, FeedError> {
    let catalogue: Catalogue = serde_json::from_str(text).map_err(FeedError::damaged)?;
    let found = catalogue.vulnerabilities.len();
    if let Some(count) = catalogue.count.filter(|it| *it != found) {
        let because = format!("it says it has {count} entries, and has {found}");
        return Err(FeedError::Damaged { because });
    }
    let entry = |it: Entry| {
        let date = |text: &str| {
            day(text).ok_or_else(|| FeedError::damaged(format!("`{text}` is no date")))
        };
        Ok(Exploited {
            added: date(&it.date_added)?,
            due: date(&it.due_date)?,
            ransomware: it.known_ransomware_campaign_use == "Known",
            cve: it.cve,
        })
    };
    catalogue.vulnerabilities.into_iter().map(entry).collect()
}

/// A table `cve,epss,percentile,...`, with or without the line of comments before it; nothing
/// where the text is something else.
pub(super) fn predictions(text: &str) -> Result<Option<Vec<Predicted>>, FeedError> {
    let mut lines = text.lines().filter(|it| !it.starts_with('#'));
    if !lines.next().is_some_and(|it| it.starts_with("cve,epss")) {
        return Ok(None);
    }
    let mut all = Vec::new();
    let mut wrong = Vec::new();
    for line in lines.filter(|it| !it.trim().is_empty()) {
        let mut fields = line.split(',');
        let cve = fields.next().unwrap_or_default();
        let probability = fields.next().and_then(|it| it.parse::<f32>().ok());
        let probability = probability.filter(|it| (0.0..=1.0).contains(it));
        match probability.filter(|_| cve.starts_with("CVE-")) {
            Some(probability) => all.push(Predicted { cve: cve.to_string(), probability }),
            None => wrong.push(line),
        }
    }
    // A slip in a line is no reason to do without all others; many are a damaged file.
    if let Some(line) = wrong.first().filter(|_| wrong.len() * WRONG_ONE_IN > all.len()) {
        let others = wrong.len() - 1;
        return Err(FeedError::damaged(format!(
            "`{line}` is no prediction, nor are {others} others"
        )));
    }
    Ok(Some(all))
}
