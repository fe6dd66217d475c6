//! The view as terminal text: forty lines, or all of it.

use crate::view::{Ending, View};
use crate::words::{age, frequency, hours, moment, percent};
use polder_model::{Coverage, quoted};

/// Most characters of a line; terminals that are narrower wrap.
const WIDTH: usize = 80;

/// What has not been looked at, at most this many on the first screen.
const UNKNOWNS_SHOWN: usize = 4;

/// Kinds of findings counted on the first screen.
const KINDS_SHOWN: usize = 7;

/// How to show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint {
    /// Whether the terminal shows colors.
    pub color: bool,
    /// Whether to show everything instead of one screen.
    pub all: bool,
}

impl Paint {
    fn style(self, code: &str, text: &str) -> String {
        if self.color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_string() }
    }

    fn bold(self, text: &str) -> String {
        self.style("1", text)
    }

    fn dim(self, text: &str) -> String {
        self.style("2", text)
    }

    /// Red is for "act now" alone.
    fn act(self, text: &str) -> String {
        self.style("1;31", text)
    }
}

/// The view as text.
pub fn terminal(view: &View, paint: Paint) -> String {
    let mut out = String::new();
    head(&mut out, view, paint);
    alarms(&mut out, view, paint);
    plan(&mut out, view, paint);
    path(&mut out, view, paint);
    found(&mut out, view, paint);
    unknowns(&mut out, view, paint);
    decisions(&mut out, view, paint);
    changes(&mut out, view, paint);
    if paint.all {
        everything(&mut out, view, paint);
    }
    next(&mut out, view, paint);
    out
}

fn line(out: &mut String, text: &str) {
    out.push_str(text.trim_end());
    out.push('\n');
}

/// Breaks text at blanks; lines after the first are indented.
pub(crate) fn wrap(out: &mut String, first: &str, rest: &str, text: &str) {
    let mut current = first.to_string();
    let mut is_empty = true;
    for word in text.split(' ') {
        if !is_empty && current.chars().count() + 1 + word.chars().count() > WIDTH {
            line(out, &current);
            current = rest.to_string();
            is_empty = true;
        }
        if !is_empty {
            current.push(' ');
        }
        current.push_str(word);
        is_empty = false;
    }
    line(out, &current);
}

/// The first `width` characters, with dots where something was cut.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_string();
    }
    let kept: String = text.chars().take(width.saturating_sub(2)).collect();
    format!("{}..", kept.trim_end())
}

fn head(out: &mut String, view: &View, paint: Paint) {
    let host = &view.host;
    let looked = if host.as_root { "as root" } else { "without root" };
    let text = format!("{} | {} | looked at {looked}, {}", host.name, host.os, moment(host.taken));
    line(out, &paint.dim(&cut(&text, WIDTH)));
    out.push('\n');
    let mut sentence = String::new();
    wrap(&mut sentence, "", "", &view.sentence);
    out.push_str(&match view.ending {
        Ending::WithinAppetite => sentence,
        Ending::AboveAppetite | Ending::CouldNotSay => {
            let (first, rest) = sentence.split_once('\n').unwrap_or((&sentence, ""));
            format!("{}\n{rest}", paint.bold(first))
        }
    });
    let than = if view.ending == Ending::AboveAppetite { "above" } else { "within" };
    let appetite = format!("the appetite of {} ({})", frequency(view.appetite), view.appetite_from);
    let text = match view.ending {
        Ending::CouldNotSay => format!("Not known well enough to compare with {appetite}."),
        _ => format!("That is {than} {appetite}."),
    };
    let mut wrapped = String::new();
    wrap(&mut wrapped, "", "", &text);
    out.push_str(&match view.ending {
        Ending::AboveAppetite => wrapped.lines().map(|it| paint.act(it) + "\n").collect(),
        _ => wrapped,
    });
    if let Some(money) = &view.money {
        wrap(out, "", "", money);
    }
    out.push('\n');
}

/// Alarms shown on one screen.
const ALARMS: usize = 3;

/// What may mean that somebody is here already comes before all that may keep them out.
fn alarms(out: &mut String, view: &View, paint: Paint) {
    let all: Vec<_> = view.alarms().collect();
    if all.is_empty() {
        return;
    }
    line(out, &paint.act("Somebody may be here: look at this now"));
    let shown = if paint.all { all.len() } else { ALARMS };
    for it in all.iter().take(shown) {
        wrap(out, "  ! ", "    ", &it.finding.says);
        wrap(out, "    ", "    ", &format!("polder explain {}", quoted(&it.finding.id.0)));
    }
    if all.len() > shown {
        line(out, &format!("    and {} more; `polder assess --all` lists them", all.len() - shown));
    }
    out.push('\n');
}

fn plan(out: &mut String, view: &View, paint: Paint) {
    let plan: Vec<_> = view.plan().collect();
    if plan.is_empty() {
        let text = match view.treatments.is_empty() {
            true => "No treatment is known.",
            false => "No treatment lowers the risk by an amount that can be told.",
        };
        line(out, text);
        out.push('\n');
        return;
    }
    let title = format!("{:<47}{:<17}{}", "Do this first", "then any loss", "work");
    line(out, &paint.bold(&title));
    for treatment in &plan {
        let number = treatment.number.unwrap_or(0);
        let text = format!(
            "{number:>2}  {:<42} {:<16} {}",
            cut(&treatment.treatment.title, 42),
            cut(&treatment.after_words, 16),
            treatment.effort_words
        );
        line(out, &text);
    }
    let ties: Vec<String> = plan
        .windows(2)
        .filter_map(|pair| match pair {
            [a, b] if a.ties_with_next => Some(format!("{} and {}", a.number?, b.number?)),
            _ => None,
        })
        .collect();
    if !ties.is_empty() {
        let text = format!("    {} cannot be told apart.", ties.join(", "));
        line(out, &paint.dim(&text));
    }
    if let Some(other) = &view.rests_on_guesses {
        let text = format!(
            "The order rests on judgement: with guesses off by three, `{other}` comes first."
        );
        wrap(out, "    ", "    ", &text);
    }
    let hours_total: f64 = plan.iter().map(|it| it.treatment.effort.hours.likely).sum();
    let text = format!(
        "All of them, about {} of work: from {} to {}.",
        hours(hours_total),
        view.any.words,
        view.any_after.words
    );
    wrap(out, "    ", "    ", &text);
    out.push('\n');
}

fn path(out: &mut String, view: &View, paint: Paint) {
    let count = if paint.all { view.paths.len() } else { 1 };
    for path in view.paths.iter().take(count) {
        let title = format!(
            "How an attacker gets there ({} of losses: {})",
            percent(path.share),
            path.loss
        );
        line(out, &paint.bold(&cut(&title, WIDTH)));
        for hop in &path.hops {
            let ways = match hop.other_ways {
                0 => String::new(),
                1 => ", or in 1 other way".into(),
                count => format!(", or in {count} other ways"),
            };
            wrap(out, "  - ", "    ", &format!("{}{ways}: {}", hop.does, hop.because));
        }
        out.push('\n');
    }
}

/// How many findings there are of each kind, in the order of the rooms.
fn found(out: &mut String, view: &View, paint: Paint) {
    if paint.all || view.findings.is_empty() {
        return;
    }
    let mut kinds: Vec<(&str, &str, usize)> = Vec::new();
    for it in &view.findings {
        match kinds.iter_mut().find(|(kind, ..)| *kind == it.finding.kind) {
            Some((_, _, count)) => *count += 1,
            None => kinds.push((&it.finding.kind, &it.title, 1)),
        }
    }
    kinds.sort_by_key(|(_, _, count)| std::cmp::Reverse(*count));
    line(
        out,
        &paint.bold(&format!(
            "Found ({} findings; `polder assess --all` lists them)",
            view.findings.len()
        )),
    );
    for (_, title, count) in kinds.iter().take(KINDS_SHOWN) {
        line(out, &format!("{count:>5}  {}", cut(title, WIDTH - 7)));
    }
    if let Some(rest) = kinds.len().checked_sub(KINDS_SHOWN).filter(|it| *it > 0) {
        line(out, &paint.dim(&format!("       and {rest} more kinds")));
    }
    out.push('\n');
}

fn unknowns(out: &mut String, view: &View, paint: Paint) {
    if view.unknowns.is_empty() {
        return;
    }
    line(out, &paint.bold("Not known"));
    let mut ordered: Vec<_> = view.unknowns.iter().collect();
    ordered.sort_by_key(|it| !it.essential);
    let shown = if paint.all { ordered.len() } else { UNKNOWNS_SHOWN };
    for unknown in ordered.iter().take(shown) {
        let text = format!("{}: {}", unknown.what, unknown.because);
        let text = if paint.all { format!("{text}. To know it: {}", unknown.remedy) } else { text };
        match paint.all {
            true => wrap(out, "  ? ", "    ", &text),
            false => line(out, &format!("  ? {}", cut(&text, WIDTH - 4))),
        }
    }
    if let Some(rest) = ordered.len().checked_sub(shown).filter(|it| *it > 0) {
        line(out, &paint.dim(&format!("    and {rest} more")));
    }
    if !view.host.as_root {
        let adds = view.coverage.iter().filter(|it| it.coverage.root_adds().is_some()).count();
        if adds > 0 {
            line(
                out,
                &format!("    Root would see more in {adds} of {} tables.", view.coverage.len()),
            );
        }
    }
    out.push('\n');
}

fn decisions(out: &mut String, view: &View, paint: Paint) {
    if view.decisions.is_empty() {
        return;
    }
    line(out, &paint.bold("Decided on purpose"));
    for it in view.decisions.iter().take(if paint.all { usize::MAX } else { 3 }) {
        let decision = &it.decision;
        let state = match (&it.ended_because, &it.keeps) {
            (Some(because), _) => because.clone(),
            (None, Some(keeps)) => {
                format!("keeps {keeps}, until {}", crate::words::last_day(decision.until))
            }
            (None, None) => format!("until {}", crate::words::last_day(decision.until)),
        };
        let text = format!(
            "{} {} ({}): {}; {state}",
            decision.kind.word(),
            decision.finding,
            decision.owner,
            decision.because
        );
        wrap(out, "  = ", "    ", &text);
    }
    out.push('\n');
}

fn changes(out: &mut String, view: &View, paint: Paint) {
    let Some(before) = view.compared_with else { return };
    if view.changes.is_empty() {
        return;
    }
    line(out, &paint.bold(&format!("Since {}", age(before, view.host.taken))));
    let shown = if paint.all { usize::MAX } else { 4 };
    for change in view.changes.iter().take(shown) {
        match paint.all {
            true => wrap(out, &format!("  {} ", change.sign), "    ", &change.says),
            false => line(out, &format!("  {} {}", change.sign, cut(&change.says, WIDTH - 4))),
        }
    }
    if let Some(rest) = view.changes.len().checked_sub(shown).filter(|it| *it > 0) {
        line(out, &paint.dim(&format!("    and {rest} more")));
    }
    out.push('\n');
}

fn everything(out: &mut String, view: &View, paint: Paint) {
    line(out, &paint.bold("Each loss in a year, and after the treatments above"));
    for goal in &view.goals {
        line(
            out,
            &format!(
                "  {:<40} {:<14} {:<14} (range {})",
                cut(&goal.loss, 40),
                goal.now.words,
                goal.after.words,
                goal.now.range_words
            ),
        );
    }
    out.push('\n');
    line(out, &paint.bold("Outage longer than, in a year, and after the treatments above"));
    for (limit, before, after) in &view.exceedance {
        line(
            out,
            &format!("  {:<10} {:<18} {}", hours(*limit), frequency(*before), frequency(*after)),
        );
    }
    out.push('\n');
    line(out, &paint.bold(&format!("Findings ({})", view.findings.len())));
    for it in &view.findings {
        let decided = if it.decided { "  [decided]" } else { "" };
        line(out, &format!("  {}{decided}", paint.bold(&it.finding.id.0)));
        wrap(out, "      ", "      ", &it.finding.says);
    }
    out.push('\n');
    let rest: Vec<_> = view.treatments.iter().filter(|it| it.number.is_none()).collect();
    line(out, &paint.bold(&format!("Other treatments ({})", rest.len())));
    for it in rest {
        line(
            out,
            &format!(
                "  {:<50} {:<16} {}",
                cut(&it.treatment.title, 50),
                cut(&it.after_words, 16),
                it.effort_words
            ),
        );
    }
    out.push('\n');
    looked(out, view, paint);
    basis(out, view);
}

fn looked(out: &mut String, view: &View, paint: Paint) {
    line(out, &paint.bold("What was looked at"));
    for it in &view.coverage {
        let because = it.coverage.because().map_or(String::new(), |it| format!(": {it}"));
        let problems = match it.problems {
            0 => String::new(),
            count => format!(", {count} malformed places"),
        };
        let mark = if it.coverage == Coverage::Complete { " " } else { "?" };
        wrap(
            out,
            &format!("{mark} {:<12} {:>6} rows  ", it.table, it.rows),
            "                            ",
            &format!("{}{because}{problems}", it.coverage.word()),
        );
    }
    out.push('\n');
}

/// What the figures rest on.
fn basis(out: &mut String, view: &View) {
    let text = format!(
        "{} of the losses pass a step whose probability is judgement. Figures are {} from {} drawn years (seed {}) of a graph with {} nodes and {} edges.",
        percent(view.on_judgement),
        view.method,
        view.worlds,
        view.seed,
        view.graph.0,
        view.graph.1
    );
    wrap(out, "", "", &text);
    for it in view.choke_points.iter().take(3) {
        let text = format!("{} of the losses pass one point: who {}.", percent(it.share), it.label);
        wrap(out, "", "", &text);
    }
    if let Some(measure) = &view.measure {
        wrap(out, "", "", &format!("To know more, measure first how likely it is that {measure}."));
    }
    out.push('\n');
}

fn next(out: &mut String, view: &View, paint: Paint) {
    let mut commands = Vec::new();
    if view.plan().next().is_some() {
        commands.push("polder explain 1");
    } else if let Some(_first) = view.findings.first() {
        commands.push("polder explain ID");
    }
    if !paint.all {
        commands.push("polder assess --all");
    }
    commands.push("polder assess --html report.html");
    line(out, &format!("Next: {}", commands.join(" | ")));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_wrapped_at_blanks() {
        let mut out = String::new();
        wrap(&mut out, "- ", "  ", &"word ".repeat(40));
        assert!(out.lines().all(|line| line.chars().count() <= WIDTH));
        assert_eq!(out.matches("word").count(), 40);
    }

    #[test]
    fn cut_text_says_so() {
        assert_eq!(cut("abcdef", 5), "abc..");
        assert_eq!(cut("abc", 5), "abc");
    }
}
