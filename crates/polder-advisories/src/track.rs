//! The track record of what is installed: how often each source package needed a fix, and how long
//! this host ran without it.

use crate::index::{Names, Row, Section};
use crate::matching::{Feeds, FlawSection, coverage, foreign, manages, name_of};
use polder_model::facts::{Alternative, Facts, Package, TrackRecord};
use polder_model::{Coverage, Table, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Months that a record spans.
const MONTHS: u32 = 24;

/// The same in seconds.
const SPAN: i64 = 730 * 86_400;

/// Fewer advisories than this are no record.
const WORST_MIN: usize = 3;

/// Programs that do the same work: source package, and one of its packages.
const PEERS: [&[(&str, &str)]; 6] = [
    &[
        ("bind9", "bind9"),
        ("knot", "knot"),
        ("nsd", "nsd"),
        ("pdns", "pdns-server"),
        ("unbound", "unbound"),
    ],
    &[("exim4", "exim4"), ("opensmtpd", "opensmtpd"), ("postfix", "postfix")],
    &[("apache2", "apache2"), ("lighttpd", "lighttpd"), ("nginx", "nginx")],
    &[("proftpd-dfsg", "proftpd-core"), ("pure-ftpd", "pure-ftpd"), ("vsftpd", "vsftpd")],
    &[
        ("haproxy", "haproxy"),
        ("squid", "squid"),
        ("trafficserver", "trafficserver"),
        ("varnish", "varnish"),
    ],
    &[("dovecot", "dovecot-core"), ("cyrus-imapd", "cyrus-imapd")],
];

/// The record of every installed source package of which a feed with dates tells something.
pub fn track_records(facts: &Facts, feeds: &Feeds<'_>) -> Table<TrackRecord> {
    let mut records: BTreeMap<&str, TrackRecord> = BTreeMap::new();
    for feed in &feeds.flaws {
        let (info, names, _, section) = feed;
        let Some(end) = feeds.dated(info, section) else { continue };
        let history = History::new(feeds, section, *names, end);
        for (source, packages) in sources(facts, feed) {
            let record = history.record(facts, feed, source, &packages);
            // The feed that tells most of a source package counts.
            let is_more =
                records.get(source).is_none_or(|known| record.advisories > known.advisories);
            if is_more && record.advisories > 0 {
                records.insert(source, record);
            }
        }
    }
    let coverage = match (coverage(facts, feeds), records.is_empty()) {
        (Coverage::Complete, true) => Coverage::partial("no feed of this release has dates"),
        (coverage, _) => coverage,
    };
    Table::with(coverage, records.into_values().collect())
}

/// Installed packages of the release by the source they are built from.
fn sources<'a>(facts: &'a Facts, feed: &FlawSection<'_>) -> BTreeMap<&'a str, Vec<&'a Package>> {
    let mut sources: BTreeMap<&str, Vec<&Package>> = BTreeMap::new();
    for package in facts.packages.rows.iter().filter(|it| manages(feed.2, it)) {
        let source = if package.source.is_empty() { &package.name } else { &package.source };
        sources.entry(source).or_default().push(package);
    }
    sources
}

/// The advisories of one feed within the span.
struct History<'a> {
    feeds: &'a Feeds<'a>,
    rows: HashMap<&'a str, &'a [Row<'a>]>,
    /// For each advisory within the span, when it was published.
    published: Vec<Option<i64>>,
    /// Distinct advisories by any package name: those that share a name are of one source.
    count: HashMap<&'a str, usize>,
    /// Nine tenths of all sources with any have fewer than this.
    worst: usize,
    end: i64,
}

impl<'a> History<'a> {
    fn new(feeds: &'a Feeds<'a>, section: &'a Section<'a>, kind: Names, end: i64) -> Self {
        let within =
            |published: Option<i64>| published.filter(|it| (end - SPAN..=end).contains(it));
        let published: Vec<Option<i64>> =
            section.advisories.iter().map(|it| within(feeds.told(it).published)).collect();
        let rows: HashMap<&str, &[Row<'_>]> = section.packages().collect();
        // Binary packages that share an advisory are built from one source; records of other feeds
        // name several sources at once.
        let names: Vec<&str> = section.packages().map(|it| it.0).collect();
        let mut parent: Vec<usize> = (0..names.len()).collect();
        let mut first: HashMap<u32, usize> = HashMap::new();
        let mut by_advisory: Vec<(u32, usize)> = Vec::new();
        for (at, (_, rows)) in section.packages().enumerate() {
            for row in rows {
                let other = match kind {
                    Names::Binary => *first.entry(row.advisory).or_insert(at),
                    Names::Source => at,
                };
                by_advisory.push((row.advisory, at));
                let (a, b) = (root(&mut parent, at), root(&mut parent, other));
                if let Some(slot) = parent.get_mut(a.max(b)) {
                    *slot = a.min(b);
                }
            }
        }
        let mut advisories: HashMap<usize, BTreeSet<u32>> = HashMap::new();
        for (advisory, at) in by_advisory {
            if published.get(advisory as usize).copied().flatten().is_some() {
                advisories.entry(root(&mut parent, at)).or_default().insert(advisory);
            }
        }
        let counts: Vec<usize> = advisories.values().map(BTreeSet::len).collect();
        // The least count than which nine tenths of the sources have fewer.
        let fewer = |than: usize| counts.iter().filter(|it| **it < than).count();
        let is_worst = |it: &usize| fewer(*it) * 10 >= counts.len() * 9;
        let worst = counts.iter().copied().filter(is_worst).min();
        let worst = worst.unwrap_or(usize::MAX).max(WORST_MIN);
        let mut count = HashMap::new();
        for (at, name) in names.iter().enumerate() {
            let root = root(&mut parent, at);
            count.insert(*name, advisories.get(&root).map_or(0, BTreeSet::len));
        }
        Self { feeds, rows, published, count, worst, end }
    }

    fn record(
        &self,
        facts: &Facts,
        (_, names, order, section): &FlawSection<'_>,
        source: &str,
        packages: &[&Package],
    ) -> TrackRecord {
        let mut seen: BTreeMap<u32, Option<i64>> = BTreeMap::new();
        for package in packages {
            for row in self.rows.get(name_of(package, *names)).copied().unwrap_or_default() {
                let Some(Some(at)) = self.published.get(row.advisory as usize) else { continue };
                let open = self.open_days(facts, package, *order, row, *at);
                let slot = seen.entry(row.advisory).or_default();
                *slot = (*slot).max(open);
            }
        }
        let told: Vec<_> = seen
            .keys()
            .filter_map(|it| section.advisories.get(*it as usize))
            .map(|it| self.feeds.told(it))
            .collect();
        let is_exploited = |cve: &&str| self.feeds.exploited_since(cve).is_some();
        let count = |is: &dyn Fn(&crate::index::Advisory<'_>) -> bool| {
            u32::try_from(told.iter().filter(|it| is(it)).count()).unwrap_or(u32::MAX)
        };
        let mut days: Vec<i64> = seen.values().copied().flatten().collect();
        days.sort_unstable();
        let is_own = |it: &(&str, &str)| it.0 == source;
        let peers = PEERS.iter().find(|it| it.iter().any(is_own)).copied().unwrap_or_default();
        // Of what no feed names, nothing is known: that is no good record.
        let alternative = |(source, package): &(&str, &str)| {
            let name = if *names == Names::Binary { package } else { source };
            let advisories = u32::try_from(*self.count.get(*name)?).ok()?;
            Some(Alternative { source: (*source).to_string(), advisories })
        };
        TrackRecord {
            source: source.to_string(),
            packages: packages.iter().map(|it| it.name.clone()).collect(),
            months: MONTHS,
            until: Timestamp(self.end),
            advisories: u32::try_from(seen.len()).unwrap_or(u32::MAX),
            remote: count(&|it| it.vector.contains("AV:N")),
            exploited: count(&|it| it.cves.iter().any(is_exploited)),
            is_worst_tenth: seen.len() >= self.worst,
            days_unfixed: days.get(days.len() / 2).copied(),
            days_measured: u32::try_from(days.len()).unwrap_or(u32::MAX),
            alternatives: peers.iter().filter(|it| !is_own(it)).filter_map(alternative).collect(),
        }
    }

    /// Days from an advisory to the upgrade that closed it here, or to now; none where the log of
    /// upgrades does not tell.
    fn open_days(
        &self,
        facts: &Facts,
        package: &Package,
        order: crate::order::Order,
        row: &Row<'_>,
        published: i64,
    ) -> Option<i64> {
        if foreign(package, &package.version, facts.system_row()).is_some() {
            return None;
        }
        let has_flaw = |version: &str| row.rule.has_flaw(order, version);
        let closed = facts.upgrades.rows.iter().find(|it| {
            it.name == package.name
                && has_flaw(&it.from) == Some(true)
                && has_flaw(&it.to) == Some(false)
        });
        let published = Timestamp(published);
        match closed {
            // Fixed before the advisory was out: no day without it.
            Some(it) => Some(published.days_until(it.when).max(0)),
            None if has_flaw(&package.version) == Some(true) => {
                Some(published.days_until(facts.taken).max(0))
            }
            // Fixed, and the log does not say when: it came with that version, or before the log.
            None => None,
        }
    }
}

fn root(parent: &mut [usize], at: usize) -> usize {
    let mut node = at;
    while let Some(up) = parent.get(node).copied().filter(|up| *up != node) {
        // Halving the path keeps it short for the next one.
        let above = parent.get(up).copied().unwrap_or(up);
        if let Some(slot) = parent.get_mut(node) {
            *slot = above;
        }
        node = above;
    }
    node
}
