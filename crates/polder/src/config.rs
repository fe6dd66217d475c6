//! The configuration: one optional file, every setting optional, each with where it comes from.

use crate::failure::Failure;
use crate::watch::{Rhythm, SinkSettings};
use crate::windows::Window;
use polder_integrity::{Policy, Rule};
use polder_model::{InternetFacing, Range, Settings, Timestamp};
use polder_report::Claims;
use polder_risk::Options;
use serde::{Deserialize, Serialize};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Yearly probability of any loss that is lived with unless the owner says otherwise: the upper
/// end of the published 0.3 to 6 % for a well-kept small estate.
const APPETITE_DEFAULT: f64 = 0.06;

/// Most treatments in a plan by default.
const PLAN_DEFAULT: usize = 5;

/// The file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    host: HostPart,
    appetite: AppetitePart,
    assess: AssessPart,
    worth: WorthPart,
    drill: DrillPart,
    feeds: FeedsPart,
    patch: PatchPart,
    baseline: BaselinePart,
    watch: WatchPart,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct HostPart {
    internet_facing: Option<InternetFacing>,
    public_ports: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct AppetitePart {
    any_loss_per_year: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct AssessPart {
    seed: Option<u64>,
    plan: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WorthPart {
    outage_hours_per_loss: Option<f64>,
    money: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct DrillPart {
    last_restore: Option<String>,
    restore_hours: Option<[f64; 3]>,
    restores: Option<Vec<f64>>,
    backup_elsewhere: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FeedsPart {
    update: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PatchPart {
    days_max: Option<u32>,
    windows: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct BaselinePart {
    defaults: Option<bool>,
    watch: Option<Vec<String>>,
    grows: Option<Vec<String>>,
    volatile: Option<Vec<String>>,
    ignore: Option<Vec<String>>,
    key: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WatchPart {
    every_minutes: Option<u64>,
    scrub_minutes: Option<u64>,
    read_mib_per_second: Option<u64>,
    heartbeat_seconds: Option<u64>,
    syslog: Option<bool>,
    webhook: Option<String>,
    mail: Option<String>,
    heartbeat: Option<String>,
}

/// One setting for showing.
#[derive(Debug, Serialize)]
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    pub(crate) origin: String,
}

/// The configuration in force.
#[derive(Debug)]
pub(crate) struct Configuration {
    pub(crate) settings: Settings,
    pub(crate) options: Options,
    pub(crate) appetite: f64,
    pub(crate) appetite_from: String,
    pub(crate) money: Option<Claims>,
    pub(crate) plan: usize,
    /// Feeds that `feed update` fetches; empty for those of this host.
    pub(crate) feeds: Vec<String>,
    /// When services may be restarted; empty for any time.
    pub(crate) windows: Vec<Window>,
    /// What the baseline watches, and how closely.
    pub(crate) policy: Policy,
    /// The key that signs baselines, when it is not the one beside them.
    pub(crate) key: Option<String>,
    /// When the watch looks, and where it tells.
    pub(crate) rhythm: Rhythm,
    pub(crate) sinks: SinkSettings,
    /// The file it was read from.
    pub(crate) path: Option<PathBuf>,
    pub(crate) shown: Vec<Setting>,
}

/// Reads the configuration. A file in the current folder counts only when root or the caller owns it.
pub(crate) fn read(path: Option<&Path>) -> Result<Configuration, Failure> {
    let path = find(path)?;
    let (file, origin) = match &path {
        Some(path) => (parse(path)?, path.display().to_string()),
        None => (File::default(), String::new()),
    };
    Ok(Configuration { path, ..build(file, &origin)? })
}

fn find(path: Option<&Path>) -> Result<Option<PathBuf>, Failure> {
    if let Some(path) = path {
        if !path.is_file() {
            let text = format!("the configuration file `{}` does not exist", path.display());
            return Err(
                Failure::usage(text).hint("Name a file that exists, or leave `--config` out")
            );
        }
        return Ok(Some(path.into()));
    }
    let here = Path::new("polder.toml");
    if let Ok(metadata) = std::fs::metadata(here) {
        // Whoever can write to a shared folder must not configure what root runs there.
        let own = rustix::process::geteuid().as_raw();
        if metadata.uid() == own || metadata.uid() == 0 {
            return Ok(Some(here.into()));
        }
    }
    let system = Path::new("/etc/polder/polder.toml");
    Ok(system.is_file().then(|| system.into()))
}

fn parse(path: &Path) -> Result<File, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let text = format!("cannot read the configuration file `{}`: {error}", path.display());
        Failure::usage(text).hint("Check who may read it")
    })?;
    toml::from_str(&text).map_err(|error| {
        let text = format!("the configuration file `{}` is wrong: {error}", path.display());
        Failure::usage(text).hint("`polder config show --origin` lists every setting there is")
    })
}

/// Values that no setting may have.
fn check(file: &File) -> Result<(), Failure> {
    if let Some(it) = file.appetite.any_loss_per_year.filter(|it| !(0.0..=1.0).contains(it)) {
        let text = format!("`appetite.any_loss_per_year` is {it}, which is no probability");
        return Err(Failure::usage(text).hint("Give a number from 0 to 1: 0.06 is 6 in 100 years"));
    }
    let is_time = |hours: f64| hours.is_finite() && hours > 0.0;
    if let Some(it) = file.worth.outage_hours_per_loss.filter(|it| !is_time(*it)) {
        let text = format!("`worth.outage_hours_per_loss` is {it}, which is no length of time");
        let hint = "Give the hours of outage that weigh as much as one loss";
        return Err(Failure::usage(text).hint(hint));
    }
    if file.drill.restore_hours.is_some_and(|it| !it.iter().all(|hours| is_time(*hours))) {
        let text = "`drill.restore_hours` must be three lengths of time above zero";
        return Err(Failure::usage(text).hint("restore_hours = [1.0, 2.0, 6.0]"));
    }
    if file.drill.restores.as_ref().is_some_and(|it| !it.iter().all(|hours| is_time(*hours))) {
        let text = "`drill.restores` must be lengths of time above zero, in hours";
        return Err(Failure::usage(text).hint("restores = [1.4, 0.9] after two practised restores"));
    }
    Ok(())
}

fn build(file: File, origin: &str) -> Result<Configuration, Failure> {
    check(&file)?;
    let mut shown = Vec::new();
    let mut show = |name: &'static str, is_set: bool, value: String| {
        let origin = if is_set { origin.to_string() } else { "default".into() };
        shown.push(Setting { name, value, origin });
    };
    let facing = file.host.internet_facing.unwrap_or_default();
    show("host.internet_facing", file.host.internet_facing.is_some(), facing_word(facing).into());
    let public_ports = file.host.public_ports.clone().unwrap_or_default();
    show("host.public_ports", file.host.public_ports.is_some(), format!("{public_ports:?}"));
    let appetite = file.appetite.any_loss_per_year.unwrap_or(APPETITE_DEFAULT);
    let is_set = file.appetite.any_loss_per_year.is_some();
    show("appetite.any_loss_per_year", is_set, appetite.to_string());
    let defaults = Options::default();
    let seed = file.assess.seed.unwrap_or(defaults.seed);
    show("assess.seed", file.assess.seed.is_some(), seed.to_string());
    let plan = file.assess.plan.unwrap_or(PLAN_DEFAULT);
    show("assess.plan", file.assess.plan.is_some(), plan.to_string());
    let hours = file.worth.outage_hours_per_loss.unwrap_or(defaults.outage_hours_per_loss);
    let is_set = file.worth.outage_hours_per_loss.is_some();
    show("worth.outage_hours_per_loss", is_set, hours.to_string());
    let money = file.worth.money.as_deref().filter(|it| *it != "no");
    let money = money.map(parse_claims).transpose()?;
    show("worth.money", money.is_some(), money.map_or("no", Claims::word).into());
    let (last_restore, restore_hours, measured, restores) = drill(&file.drill, &mut show)?;
    let elsewhere = file.drill.backup_elsewhere.unwrap_or(false);
    show("drill.backup_elsewhere", file.drill.backup_elsewhere.is_some(), elsewhere.to_string());
    let feeds = file.feeds.update.clone().unwrap_or_default();
    show("feeds.update", !feeds.is_empty(), format!("{feeds:?}"));
    let (fix_days_max, windows) = patch(&file.patch, &mut show)?;
    let policy = baseline(&file.baseline, &mut show)?;
    let (rhythm, sinks) = watch(&file.watch, &mut show)?;
    let appetite_from = appetite_origin(&file, origin);
    Ok(Configuration {
        settings: Settings {
            internet_facing: facing,
            fix_days_max,
            public_ports,
            restore_hours: restore_hours
                .map(|[low, likely, high]| Range::new(low, likely, high))
                .or(measured),
            // Hours by hand are those of one restore at least.
            restore_drills: u32::try_from(restores).unwrap_or(u32::MAX).max(1),
            last_restore,
            backup_elsewhere: elsewhere,
        },
        options: Options { seed, outage_hours_per_loss: hours, ..defaults },
        appetite,
        appetite_from,
        money,
        plan,
        feeds,
        windows,
        policy,
        key: file.baseline.key,
        rhythm,
        sinks,
        path: None,
        shown,
    })
}

fn facing_word(facing: InternetFacing) -> &'static str {
    match facing {
        InternetFacing::Auto => "auto",
        InternetFacing::Yes => "yes",
        InternetFacing::No => "no",
    }
}

/// What was practised: the last restore, hours by hand, hours measured, and how many restores these are.
fn drill(
    part: &DrillPart,
    show: &mut dyn FnMut(&'static str, bool, String),
) -> Result<Drilled, Failure> {
    let last_restore = part.last_restore.as_deref();
    let last_restore = last_restore.map(|it| parse_day(it, "drill.last_restore")).transpose()?;
    show(
        "drill.last_restore",
        last_restore.is_some(),
        part.last_restore.clone().unwrap_or_default(),
    );
    let restore_hours = part.restore_hours;
    show(
        "drill.restore_hours",
        restore_hours.is_some(),
        restore_hours.map_or(String::new(), |it| format!("{it:?}")),
    );
    let restores = part.restores.clone().unwrap_or_default();
    show("drill.restores", !restores.is_empty(), format!("{restores:?}"));
    let measured = Range::predicted(&restores);
    Ok((last_restore, restore_hours, measured, restores.len()))
}

type Drilled = (Option<Timestamp>, Option<[f64; 3]>, Option<Range>, usize);

/// How long fixes may wait, and when services may restart.
fn patch(
    part: &PatchPart,
    show: &mut dyn FnMut(&'static str, bool, String),
) -> Result<(Option<u32>, Vec<Window>), Failure> {
    let days = part.days_max.map_or_else(String::new, |it| it.to_string());
    show("patch.days_max", part.days_max.is_some(), days);
    let windows = part.windows.clone().unwrap_or_default();
    show("patch.windows", !windows.is_empty(), format!("{windows:?}"));
    let windows = windows.iter().map(|it| Window::parse(it)).collect::<Result<_, _>>()?;
    Ok((part.days_max, windows))
}

/// What is watched, and how closely.
fn baseline(
    part: &BaselinePart,
    show: &mut dyn FnMut(&'static str, bool, String),
) -> Result<Policy, Failure> {
    let defaults = part.defaults.unwrap_or(true);
    show("baseline.defaults", part.defaults.is_some(), defaults.to_string());
    let lists = [
        ("baseline.watch", Rule::Full, &part.watch),
        ("baseline.grows", Rule::Grows, &part.grows),
        ("baseline.volatile", Rule::Volatile, &part.volatile),
        ("baseline.ignore", Rule::Ignored, &part.ignore),
    ];
    let mut rules = Vec::new();
    for (name, rule, list) in lists {
        let patterns = list.clone().unwrap_or_default();
        show(name, list.is_some(), format!("{patterns:?}"));
        for pattern in patterns {
            if !pattern.starts_with('/') {
                let text = format!("`{name}` has `{pattern}`, which is no absolute path");
                return Err(Failure::usage(text).hint("Write it from `/` on: /srv/*/uploads"));
            }
            rules.push((rule, pattern));
        }
    }
    show("baseline.key", part.key.is_some(), part.key.clone().unwrap_or_default());
    let rules = rules.iter().map(|(rule, pattern)| (*rule, pattern.as_str()));
    Ok(if defaults { Policy::new(rules) } else { Policy::only(rules) })
}

/// When the watch looks, and where it tells.
fn watch(
    part: &WatchPart,
    show: &mut dyn FnMut(&'static str, bool, String),
) -> Result<(Rhythm, SinkSettings), Failure> {
    let mut number = |name: &'static str, value: Option<u64>, default: u64, (least, most)| {
        let number = value.unwrap_or(default);
        show(name, value.is_some(), number.to_string());
        match (least..=most).contains(&number) {
            true => Ok(number),
            false => {
                Err(Failure::usage(format!("`{name}` is {number}, not from {least} to {most}"))
                    .hint("`polder config show --origin` lists every setting there is"))
            }
        }
    };
    let every = number("watch.every_minutes", part.every_minutes, 5, (1, 24 * 60))?;
    let scrub = number("watch.scrub_minutes", part.scrub_minutes, 24 * 60, (0, 365 * 24 * 60))?;
    let read = number("watch.read_mib_per_second", part.read_mib_per_second, 50, (1, 100_000))?;
    let heartbeat = number("watch.heartbeat_seconds", part.heartbeat_seconds, 60, (1, 86_400))?;
    show("watch.syslog", part.syslog.is_some(), part.syslog.unwrap_or(true).to_string());
    // An address may hold a key.
    let set = |it: &Option<String>| if it.is_some() { "set" } else { "" }.to_string();
    show("watch.webhook", part.webhook.is_some(), set(&part.webhook));
    show("watch.heartbeat", part.heartbeat.is_some(), set(&part.heartbeat));
    show("watch.mail", part.mail.is_some(), part.mail.clone().unwrap_or_default());
    for (name, address) in [("watch.webhook", &part.webhook), ("watch.heartbeat", &part.heartbeat)]
    {
        let is_one = |it: &String| it.starts_with("https://") || it.starts_with("http://");
        if address.as_ref().is_some_and(|it| !is_one(it)) {
            let text = format!("`{name}` is no address of a server");
            return Err(Failure::usage(text).hint("Write it with `https://`"));
        }
    }
    let is_plain = |it: char| it.is_ascii_graphic() && !"<>,;:\\\"".contains(it);
    if part.mail.as_ref().is_some_and(|it| it.is_empty() || !it.chars().all(is_plain)) {
        let text = "`watch.mail` is no address for mail";
        return Err(Failure::usage(text).hint("Write one address, such as root or ada@example.org"));
    }
    let rhythm = Rhythm {
        every: Duration::from_secs(every * 60),
        scrub: (scrub > 0).then(|| Duration::from_secs(scrub * 60)),
        read_bytes: read << 20,
        heartbeat: Duration::from_secs(heartbeat),
    };
    let sinks = SinkSettings {
        syslog: part.syslog.unwrap_or(true),
        webhook: part.webhook.clone(),
        mail: part.mail.clone(),
        heartbeat: part.heartbeat.clone(),
    };
    Ok((rhythm, sinks))
}

/// Where the limit comes from, in words.
fn appetite_origin(file: &File, origin: &str) -> String {
    match file.appetite.any_loss_per_year {
        Some(_) => format!("set in {origin}"),
        None => "default: upper end of the published band for a well-kept small estate".into(),
    }
}

fn parse_claims(word: &str) -> Result<Claims, Failure> {
    Claims::parse(word).ok_or_else(|| {
        let known: Vec<String> = Claims::ALL.iter().map(|it| format!("`{}`", it.word())).collect();
        Failure::usage(format!("`worth.money` is `{word}`, which is no source of figures"))
            .hint(format!("Leave it out, or name {}", known.join(" or ")))
    })
}

/// The start of a day in UTC.
pub(crate) fn parse_day(text: &str, name: &str) -> Result<Timestamp, Failure> {
    let date: Result<jiff::civil::Date, _> = text.parse();
    let zoned = date.and_then(|date| date.to_zoned(jiff::tz::TimeZone::UTC));
    zoned.map(|it| Timestamp(it.timestamp().as_second())).map_err(|error| {
        Failure::usage(format!("`{text}` is no date for `{name}`: {error}"))
            .hint("Write it as YYYY-MM-DD, such as 2027-03-01")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Configuration, Failure> {
        build(toml::from_str(text).map_err(|error| Failure::usage(error.to_string()))?, "x.toml")
    }

    #[test]
    fn every_value_says_where_it_comes_from() {
        let configuration = of("[appetite]\nany_loss_per_year = 0.01\n").unwrap();
        let find = |name: &str| configuration.shown.iter().find(|it| it.name == name).unwrap();
        assert_eq!(find("appetite.any_loss_per_year").origin, "x.toml");
        assert_eq!(find("assess.seed").origin, "default");
    }

    #[test]
    fn wrong_values_are_errors_with_a_hint() {
        for text in [
            "[appetite]\nany_loss_per_year = 2.0\n",
            "[drill]\nlast_restore = \"soon\"\n",
            "[drill]\nrestore_hours = [0.0, 1.0, 2.0]\n",
            "[worth]\noutage_hours_per_loss = nan\n",
            "[worth]\nmoney = \"euros\"\n",
            "[patch]\nwindows = [\"sometimes\"]\n",
            "[watch]\nmail = \"a b\"\n",
            "[watch]\nwebhook = \"ftp://x\"\n",
            "[watch]\nevery_minutes = 99999\n",
            "[hots]\n",
        ] {
            assert_eq!(of(text).unwrap_err().exit_code(), 2, "{text}");
        }
    }
}
