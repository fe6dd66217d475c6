//! The cases of every room: a page a stranger can read, a host's files, and what must be said.
//!
//! A block ```` ```file PATH [MODE [UID]] ```` is a file; ```` ```run PROGRAM ```` the answer of a
//! program; ```` ```feed ```` a feed of known flaws; ```` ```changes ```` what a watch told last; ```` ```expect ```` lists findings as `ID`, one on a line, `!ID` for those that must not
//! be there, and `?TEXT` for what must be unknown.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test may panic, and looks at the machine it runs on"
)]

use polder_host::{Answer, FileHost, Output, Program, Question, RecordedHost};
use polder_model::facts::Facts;
use polder_model::{Model, Settings};
use polder_practices::PRACTICES;
use std::path::Path;

/// One case.
#[derive(Default)]
struct Case {
    title: String,
    blocks: Vec<(String, String)>,
}

fn cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines() {
        if let Some((_, body)) = &mut open {
            if line == "```" {
                if let (Some(block), Some(case)) = (open.take(), cases.last_mut()) {
                    case.blocks.push(block);
                }
            } else {
                body.push_str(line);
                body.push('\n');
            }
        } else if let Some(head) = line.strip_prefix("```") {
            open = Some((head.to_string(), String::new()));
        } else if let Some(title) = line.strip_prefix("## ") {
            cases.push(Case { title: title.into(), ..Case::default() });
        }
    }
    cases
}

fn host(case: &Case) -> FileHost {
    let mut host = RecordedHost::of_files([]);
    for (head, body) in &case.blocks {
        let words: Vec<&str> = head.split(' ').collect();
        match words[..] {
            ["file", path, ref rest @ ..] => {
                let mode = rest.first().map_or(0o644, |it| u32::from_str_radix(it, 8).unwrap());
                let uid = rest.get(1).map_or(0, |it| it.parse().unwrap());
                let gid = rest.get(2).map_or(uid, |it| it.parse().unwrap());
                host.file_with(path, &body.replace("\\0", "\0"), mode, uid, gid);
            }
            ["link", path, target] => {
                host.link(path, target);
            }
            ["run", name] => {
                let program =
                    Program::ALL.into_iter().find(|it| it.shown().starts_with(name)).unwrap();
                let output = Output { code: Some(0), stdout: body.clone(), stderr: String::new() };
                host.answer(Question::Run(program), Answer::Output(output));
            }
            ["expect" | "feed" | "changes" | "accounts"] => {}
            _ => panic!("{}: what is `{head}`?", case.title),
        }
    }
    host
}

/// What the feeds of a case tell of its host, all imported on the day of the look.
fn add_flaws(case: &Case, facts: &mut Facts) {
    let mut sections = Vec::new();
    for (_, text) in case.blocks.iter().filter(|(head, _)| head == "feed") {
        for content in polder_advisories::read(text.as_bytes()).unwrap() {
            let compiled = polder_advisories::compile(&content, "a feed", "", facts.taken.0);
            sections.push(compiled.unwrap());
        }
    }
    let covers = polder_advisories::covers_host(facts);
    sections.retain(|(info, _)| covers(info));
    drop(covers);
    let feeds = polder_advisories::Feeds::of(&sections).unwrap();
    facts.flaws = polder_advisories::match_host(facts, &feeds);
    facts.application_flaws = polder_advisories::match_applications(facts, &feeds);
    facts.vendors = polder_advisories::track_records(facts, &feeds);
}

/// What a watch or a check told last.
fn add_changes(case: &Case, facts: &mut Facts) {
    let Some((_, text)) = case.blocks.iter().find(|(head, _)| head == "changes") else { return };
    facts.file_changes = polder_model::Table::complete(serde_json::from_str(text).unwrap());
}

/// What was seen of accounts of databases.
fn add_accounts(case: &Case, facts: &mut Facts) {
    let Some((_, text)) = case.blocks.iter().find(|(head, _)| head == "accounts") else { return };
    facts.database_accounts = polder_model::Table::complete(serde_json::from_str(text).unwrap());
}

fn settings(case: &Case) -> Settings {
    let mut settings = Settings::default();
    if case.title.contains("faces the Internet") {
        settings.internet_facing = polder_model::InternetFacing::Yes;
    }
    settings.fix_days_max = case.title.contains("is allowed, 10 days").then_some(10);
    settings
}

#[track_caller]
fn check(case: &Case, model: &Model) {
    let ids: Vec<&str> = model.findings.iter().map(|it| it.id.0.as_str()).collect();
    let expected = case.blocks.iter().find(|(head, _)| head == "expect");
    let (_, expected) = expected.unwrap_or_else(|| panic!("{}: nothing is expected", case.title));
    for line in expected.lines().map(str::trim).filter(|it| !it.is_empty()) {
        if let Some(id) = line.strip_prefix('!') {
            assert!(!ids.iter().any(|it| it.starts_with(id)), "{}: {id} in {ids:?}", case.title);
        } else if let Some(text) = line.strip_prefix("~ ") {
            let findings = format!("{:?}", model.findings);
            assert!(findings.contains(text), "{}: {text:?} is not in {findings}", case.title);
        } else if let Some(text) = line.strip_prefix('?') {
            let unknowns = format!("{:?}", model.unknowns);
            assert!(unknowns.contains(text), "{}: {text:?} is not in {unknowns}", case.title);
        } else {
            assert!(ids.contains(&line), "{}: {line} is not in {ids:?}", case.title);
        }
    }
}

#[test]
fn every_case_says_what_it_must() {
    for practice in PRACTICES {
        let room = practice.about().id.replace('-', "_");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(&room).join("cases.md");
        let text = std::fs::read_to_string(&path).unwrap();
        let cases = cases(&text);
        assert!(!cases.is_empty(), "{} has no case", path.display());
        for case in &cases {
            let host = host(case);
            let mut facts = polder_facts::look(&host, &|_| {});
            add_flaws(case, &mut facts);
            add_changes(case, &mut facts);
            add_accounts(case, &mut facts);
            check(case, &polder_practices::judge(&facts, &settings(case)));
        }
        for kind in practice.about().findings {
            let id = format!("{}/{}", practice.about().id, kind.id);
            assert!(text.contains(&id), "{}: no case is about {id}", path.display());
        }
    }
}
