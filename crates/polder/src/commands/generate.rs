//! `polder generate`: manual pages, completions, schemas and lists, all from one definition.

use crate::failure::Failure;
use crate::flags::{Flags, Generate, GenerateWhat};
use clap::CommandFactory;
use clap_complete::Shell;
use polder_facts::TABLES;
use polder_practices::PRACTICES;
use std::fmt::Write as _;
use std::path::Path;

pub(super) fn run(flags: &Generate) -> Result<u8, Failure> {
    std::fs::create_dir_all(&flags.folder).map_err(Failure::look)?;
    match flags.what {
        GenerateWhat::Man => {
            clap_mangen::generate_to(Flags::command(), &flags.folder).map_err(Failure::look)?
        }
        GenerateWhat::Completions => {
            for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
                clap_complete::generate_to(shell, &mut Flags::command(), "polder", &flags.folder)
                    .map_err(Failure::look)?;
            }
        }
        GenerateWhat::Schemas => {
            let schema = schemars::schema_for!(polder_report::View);
            write(&flags.folder, "polder-assessment-1.json", &json(&schema)?)?;
            let schema = schemars::schema_for!(polder_report::PlanView);
            write(&flags.folder, "polder-plan-1.json", &json(&schema)?)?;
            let schema = schemars::schema_for!(polder_risk::GraphForm);
            write(&flags.folder, "polder-graph-1.json", &json(&schema)?)?;
            let schema = schemars::schema_for!(polder_report::CheckView);
            write(&flags.folder, "polder-check-1.json", &json(&schema)?)?;
            let schema = schemars::schema_for!(polder_report::WatchEvent);
            write(&flags.folder, "polder-event-1.json", &json(&schema)?)?;
            let schema = schemars::schema_for!(polder_model::facts::Facts);
            write(&flags.folder, "polder-facts-1.json", &json(&schema)?)?;
        }
        GenerateWhat::Docs => {
            write(&flags.folder, "findings.md", &findings())?;
            write(&flags.folder, "tables.md", &tables())?;
        }
    }
    Ok(0)
}

fn json(schema: &schemars::Schema) -> Result<String, Failure> {
    let mut text = serde_json::to_string_pretty(schema).map_err(Failure::internal)?;
    text.push('\n');
    Ok(text)
}

fn write(folder: &Path, name: &str, text: &str) -> Result<(), Failure> {
    std::fs::write(folder.join(name), text).map_err(Failure::look)
}

fn findings() -> String {
    let mut out = String::from(
        "# What Polder can find\n\nMade by `cargo xtask generate` from the rooms; do not edit.\n",
    );
    for practice in PRACTICES {
        let about = practice.about();
        let _ = writeln!(
            out,
            "\n## `{}`: {}\n\n{} It {}.\n",
            about.id,
            about.title,
            about.question,
            about.lever.says()
        );
        for kind in about.findings {
            let _ = writeln!(
                out,
                "### `{}/{}`\n\n{}.\n\n{}\n\nHow it is known: {}\n\nReferences: {}\n",
                about.id,
                kind.id,
                capital(kind.title),
                kind.why,
                kind.how_we_know,
                kind.references.join(", ")
            );
        }
    }
    format!("{}\n", out.trim_end())
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters
        .next()
        .map_or(String::new(), |first| first.to_uppercase().chain(characters).collect())
}

fn tables() -> String {
    let mut out = String::from(
        "# What Polder looks at\n\nMade by `cargo xtask generate` from the tables; do not edit. `polder look TABLE` shows one.\n\n| table | what | read from |\n| --- | --- | --- |\n",
    );
    for table in TABLES {
        let _ = writeln!(
            out,
            "| `{}` | {} | {} |",
            table.name,
            table.title,
            table.reads.replace('|', "\\|")
        );
    }
    out
}
