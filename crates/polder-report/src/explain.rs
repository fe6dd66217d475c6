//! One finding or treatment in full: what, where, how it is known, what to do, how to undo.

use crate::view::{FindingLine, TreatmentLine, View, step_line};
use polder_model::{Op, Step, Treatment};
use std::fmt::Write as _;

/// A finding in full.
pub fn explain_finding(view: &View, line: &FindingLine) -> String {
    let finding = &line.finding;
    let mut out = String::new();
    let _ = writeln!(out, "{}\n{}\n", finding.id, finding.says);
    let _ = writeln!(out, "Why it matters\n  {}\n", line.why);
    out.push_str("How this is known\n");
    for evidence in &finding.evidence {
        let _ = writeln!(out, "  - {} [{}]", evidence.says, evidence.origin);
    }
    let _ = writeln!(out, "  {}\n", line.how_we_know);
    out.push_str("What it means\n");
    match finding.opens.len() {
        0 => out.push_str("  no step of the graph depends on it\n"),
        count => {
            let steps = if count == 1 { "1 step".into() } else { format!("{count} steps") };
            let _ = writeln!(out, "  it opens {steps} of the graph, such as:");
            for edge in finding.opens.iter().take(4) {
                let _ = writeln!(out, "  - {edge}");
            }
        }
    }
    out.push('\n');
    for treatment in &finding.treatments {
        let priced = view.treatments.iter().find(|it| it.treatment.id == treatment.id);
        out.push_str(&treatment_text(treatment, priced));
        out.push('\n');
    }
    if let Some(because) = &finding.untreatable {
        let _ = writeln!(
            out,
            "What to do\n  {because}\n  polder accept {} --because TEXT --owner NAME --until DATE\n",
            finding.id
        );
    }
    if !line.references.is_empty() {
        let _ = writeln!(out, "References\n  {}", line.references.join(", "));
    }
    out
}

/// A treatment in full, with the findings it answers.
pub fn explain_treatment(view: &View, line: &TreatmentLine) -> String {
    let mut out = treatment_text(&line.treatment, Some(line));
    out.push_str("\nIt answers\n");
    for id in line.answers.iter().take(40) {
        let says = view
            .findings
            .iter()
            .find(|it| it.finding.id.0 == *id)
            .map_or("", |it| &it.finding.says);
        let _ = writeln!(out, "  - {id}: {says}");
    }
    if line.answers.len() > 40 {
        let _ = writeln!(out, "  - and {} more", line.answers.len() - 40);
    }
    out
}

fn treatment_text(treatment: &Treatment, priced: Option<&TreatmentLine>) -> String {
    let mut out = String::new();
    let number = priced.and_then(|it| it.number).map_or(String::new(), |it| format!("{it}  "));
    let _ = writeln!(out, "{number}{}  [{}]", treatment.title, treatment.id);
    if let Some(line) = priced {
        let after = &line.after_words;
        let _ = writeln!(out, "  buys     {}", crate::words::bought(after));
    }
    let _ = writeln!(out, "  work     {}", crate::words::effort(&treatment.effort));
    let what = if treatment.breakage.what.is_empty() {
        String::new()
    } else {
        format!(": {}", treatment.breakage.what)
    };
    let _ = writeln!(out, "  breakage {}{what}", treatment.breakage.level);
    out.push_str("  do\n");
    steps(&mut out, &treatment.steps);
    out.push_str("  undo\n");
    steps(&mut out, &treatment.undo);
    let _ = writeln!(out, "  verify   {}", treatment.verify);
    let changes = treatment.ops.iter().filter(|op| !matches!(op, Op::Restore { .. })).count();
    let _ = writeln!(
        out,
        "  effect   {} on the graph",
        if changes == 1 { "1 change".into() } else { format!("{changes} changes") }
    );
    out
}

fn steps(out: &mut String, steps: &[Step]) {
    for step in steps {
        for (at, line) in step_line(step).lines().enumerate() {
            let _ = writeln!(out, "    {}{line}", if at == 0 { "" } else { "    " });
        }
    }
}
