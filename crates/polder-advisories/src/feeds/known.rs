//! Which flaws are exploited (CISA KEV), and which probably will be (FIRST EPSS).

use super::content::{Exploited, FeedError, Predicted, Predictions, day};
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
pub(super) fn predictions(text: &str) -> Result<Option<Predictions>, FeedError> {
    // `#model_version:v2025.03.14,score_date:2026-11-22T00:00:00+0000`
    let comment = text.lines().next().unwrap_or_default().strip_prefix('#');
    let date = comment.and_then(|it| it.split("score_date:").nth(1));
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
    let left_out = wrong.len() as u64;
    Ok(Some(Predictions { made: date.and_then(day), all, left_out }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predictions_have_the_date_of_their_comment_and_count_what_is_none() {
        let line = |at: usize| format!("CVE-2026-{at},0.5,0.9\n");
        let lines: String = (0..2_000).map(line).collect();
        let head = "#model_version:v2025.03.14,score_date:2026-11-22T12:00:00+0000\n";
        let text = format!("{head}cve,epss,percentile\n{lines}CVE-2026-9,1.5,0.9\n");
        let found = predictions(&text).unwrap().unwrap();
        assert_eq!((found.made, found.all.len(), found.left_out), (day("2026-11-22"), 2_000, 1));
        let text = format!("cve,epss,percentile\n{}", line(1));
        assert_eq!(predictions(&text).unwrap().unwrap().made, None);
        let text = format!("cve,epss,percentile\n{}x,y,z\n", line(1));
        assert!(predictions(&text).is_err());
        assert!(predictions("a,b\n").unwrap().is_none());
    }
}
