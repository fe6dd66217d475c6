//! Other programs that compute on attack graphs, on the same graphs, with answers compared.

use crate::run;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Instant;

/// Where the peers and their graphs stand.
const FOLDER: &str = "target/peers";

/// The packages that figures were compared with.
const PACKAGES: [&str; 2] = ["problog==2.3.0", "mal-simulator==3.3.0"];

/// An estate in zones: hosts, hosts in a zone, probability that one falls once it can be reached.
const ESTATE: (usize, usize, f64) = (500, 50, 0.07);

/// Worlds the simulator gets; each takes it a large part of a second.
const SIMULATED: usize = 20;

/// The estate in the language of the simulator, and a program that runs it there.
const LANGUAGE: &str = include_str!("peers/estate.mal");
const PROGRAM: &str = include_str!("peers/worlds.py");

/// Largest difference between two exact answers.
const DIFFERENCE_MAX: f64 = 1e-8;

/// A graph as edges between numbered nodes: 0 is the Internet, the last is the loss.
struct Case {
    name: &'static str,
    edges: Vec<(usize, usize)>,
    last: usize,
}

/// Solves the same graphs with Polder and with others; fails when the answers differ.
pub(crate) fn run(polder: &str) -> Result<(), String> {
    let Some(folder) = install()? else {
        println!(
            "\n{} could not be installed (python3-venv, pip): not compared",
            PACKAGES.join(" and ")
        );
        return Ok(());
    };
    exact(polder, &format!("{folder}/problog"))?;
    sampled(polder, &format!("{folder}/python"))
}

fn exact(polder: &str, problog: &str) -> Result<(), String> {
    println!("\nexact answers beside ProbLog, every step open with 0.9 in both directions\n");
    println!("{:<18} {:>14} {:>14} {:>9} {:>9}", "graph", "polder", "problog", "s", "s");
    for case in cases() {
        let graph = format!("{FOLDER}/{}.json", case.name);
        let program = format!("{FOLDER}/{}.pl", case.name);
        let wrote = fs::write(&graph, json(&case));
        wrote.map_err(|error| format!("{graph}: {error}"))?;
        let text = run::output(polder, &["graph", "convert", "--format", "problog", &graph])
            .ok_or("`polder graph convert` failed")?;
        fs::write(&program, text).map_err(|error| format!("{program}: {error}"))?;
        let start = Instant::now();
        let ours = run::output(polder, &["graph", "solve", &graph]).unwrap_or_default();
        let our_seconds = start.elapsed().as_secs_f64();
        let ours = after(&ours, "any loss").ok_or("`polder graph solve` gave no figure")?;
        let start = Instant::now();
        let theirs = run::output("timeout", &["60", problog, &program]);
        let their_seconds = start.elapsed().as_secs_f64();
        if theirs.is_none() && their_seconds > 59.0 {
            println!("{:<18} {ours:>14.9} {:>14} {our_seconds:>9.3} {:>9}", case.name, "-", "> 60");
            continue;
        }
        let theirs = theirs.as_deref().and_then(|it| after(it, "lost:"));
        let theirs = theirs.ok_or("ProbLog gave no figure")?;
        println!(
            "{:<18} {ours:>14.9} {theirs:>14.9} {our_seconds:>9.3} {their_seconds:>9.3}",
            case.name
        );
        if (ours - theirs).abs() > DIFFERENCE_MAX {
            return Err(format!("the answers for {} differ", case.name));
        }
    }
    Ok(())
}

fn sampled(polder: &str, python: &str) -> Result<(), String> {
    let (hosts, zone, probability) = ESTATE;
    println!("\nworlds of {hosts} hosts in zones of {zone}, beside mal-simulator\n");
    let (language, program) = (format!("{FOLDER}/estate.mal"), format!("{FOLDER}/worlds.py"));
    let graph = format!("{FOLDER}/estate.json");
    for (file, text) in
        [(&language, LANGUAGE), (&program, PROGRAM), (&graph, &estate(hosts, zone, probability))]
    {
        fs::write(file, text).map_err(|error| format!("{file}: {error}"))?;
    }
    let (hosts, zone, worlds) = (hosts.to_string(), zone.to_string(), SIMULATED.to_string());
    let theirs = run::output(python, &[&program, &hosts, &zone, &worlds]);
    let numbers = theirs.as_deref().map(|text| text.split_whitespace().map(str::parse::<f64>));
    let numbers: Vec<f64> = numbers.into_iter().flatten().filter_map(Result::ok).collect();
    let [their_loss, their_seconds] = numbers[..] else {
        return Err("mal-simulator gave no figures".into());
    };
    let start = Instant::now();
    let ours = run::output(polder, &["graph", "solve", "--sampled", "--worlds=65536", &graph]);
    let our_seconds = start.elapsed().as_secs_f64() / 65_536.0;
    let ours = ours.unwrap_or_default();
    let our_loss = after(&ours, "losses a year").ok_or("`polder graph solve` gave no figure")?;
    println!("{:<16} {:>12} {:>16}", "", "hosts lost", "s for a world");
    println!("{:<16} {our_loss:>12.2} {our_seconds:>16.7}", "polder");
    println!("{:<16} {their_loss:>12.2} {their_seconds:>16.7}", "mal-simulator");
    println!("a world takes 1/{:.0} of the time", their_seconds / our_seconds);
    // Twenty worlds of the simulator are uncertain by a few per cent.
    match (our_loss / their_loss - 1.0).abs() < 0.2 {
        true => Ok(()),
        false => Err("the two lose different numbers of hosts".into()),
    }
}

/// Every zone is reached; a host falls with a probability, and reaches its zone.
fn estate(hosts: usize, zone: usize, probability: f64) -> String {
    let mut edges = Vec::new();
    let mut goals = Vec::new();
    for host in 0..hosts {
        let at = host / zone;
        if host % zone == 0 {
            edges.push(format!("{{\"from\": \"internet\", \"to\": \"z{at}\"}}"));
        }
        edges.push(format!(
            "{{\"from\": \"z{at}\", \"to\": \"h{host}\", \"probability\": {probability}}}"
        ));
        edges.push(format!("{{\"from\": \"h{host}\", \"to\": \"z{at}\"}}"));
        goals.push(format!("\"h{host}\""));
    }
    let (edges, goals) = (edges.join(",\n"), goals.join(", "));
    format!("{{\"schema\": \"polder-graph/1\",\n\"edges\": [{edges}],\n\"goals\": [{goals}]}}\n")
}

/// The number that follows a word at the start of a line.
fn after(text: &str, word: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.trim().strip_prefix(word))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The folder of the peers' programs; none where they cannot be had.
fn install() -> Result<Option<String>, String> {
    let python = format!("{FOLDER}/python");
    let programs = format!("{python}/bin");
    fs::create_dir_all(FOLDER).map_err(|error| format!("{FOLDER}: {error}"))?;
    let is_there = |program: &str| Path::new(&format!("{programs}/{program}")).is_file();
    if !is_there("malsim") || !is_there("problog") {
        let made = run::program("python3", &["-m", "venv", &python]);
        let pip = format!("{programs}/pip");
        let packages = ["install", "--quiet"].into_iter().chain(PACKAGES);
        if made.and_then(|()| run::program(&pip, &packages.collect::<Vec<_>>())).is_err() {
            return Ok(None);
        }
    }
    Ok(Some(programs))
}

fn cases() -> Vec<Case> {
    let bridge = vec![(0, 1), (0, 2), (1, 2), (1, 3), (2, 3)];
    let complete = (0..6).flat_map(|a| (a + 1..6).map(move |b| (a, b))).collect();
    let ladder = (0..8)
        .flat_map(|at| {
            let rung = (2 * at, 2 * at + 1);
            let sides = [(2 * at, 2 * at + 2), (2 * at + 1, 2 * at + 3)];
            [rung].into_iter().chain(sides.into_iter().filter(move |_| at < 7))
        })
        .collect();
    vec![
        Case { name: "bridge", edges: bridge, last: 3 },
        Case { name: "complete-6", edges: complete, last: 5 },
        Case { name: "ladder-2x8", edges: ladder, last: 15 },
        Case { name: "grid-3x3", edges: grid(3), last: 8 },
        Case { name: "grid-4x4", edges: grid(4), last: 15 },
        Case { name: "grid-6x6", edges: grid(6), last: 35 },
    ]
}

fn grid(side: usize) -> Vec<(usize, usize)> {
    let across = (0..side).flat_map(|y| (1..side).map(move |x| (y * side + x - 1, y * side + x)));
    let down = (1..side).flat_map(|y| (0..side).map(move |x| ((y - 1) * side + x, y * side + x)));
    across.chain(down).collect()
}

fn json(case: &Case) -> String {
    let name = |node: usize| match node {
        0 => "internet".to_string(),
        node => format!("n{node}"),
    };
    let mut text = String::from("{\"schema\": \"polder-graph/1\", \"edges\": [");
    for (at, (from, to)) in case.edges.iter().enumerate() {
        let comma = if at > 0 { "," } else { "" };
        let (from, to) = (name(*from), name(*to));
        let _ = write!(
            text,
            "{comma}\n{{\"from\": \"{from}\", \"to\": \"{to}\", \"probability\": 0.9, \"both_ways\": true}}"
        );
    }
    let _ = writeln!(text, "],\n\"goals\": [\"{}\"]}}", name(case.last));
    text
}
