//! Shows one view of an assessment: as terminal text, HTML page, JSON and SARIF.
//!
//! Pure: the same view gives the same bytes. Nothing here judges, prices or asks for the time.

mod access;
mod audit;
mod baseline;
mod changes;
mod explain;
mod flaw;
mod graph;
mod inventory;
mod money;
mod page;
mod picture;
mod plan;
mod sarif;
mod terminal;
mod view;
mod watch;
mod words;

pub use access::{
    AccessView, access_json, access_text, account_text, learned_json, learned_text, proposal_json,
    proposal_text,
};
pub use audit::{AuditFile, AuditGap, AuditView, Upgrade, audit_osv, audit_sarif, audit_text};
pub use baseline::{
    ChangeLine, CheckView, Names, PackageLine, StateLine, check_text, check_view, differences,
};
pub use changes::{Change, Earlier, EarlierFinding, changes};
pub use explain::{explain_finding, explain_treatment};
pub use flaw::explain_flaw;
pub use graph::{dot, opengraph, problog, solved_text};
pub use inventory::{FoundLibrary, cyclonedx, openvex, spdx};
pub use money::Claims;
pub use page::page;
pub use plan::{PlanView, StepLine, WorthLine, plan_text, plan_view};
pub use sarif::sarif;
pub use terminal::{Paint, terminal};
pub use view::{
    ChokeLine, CoverageLine, DecisionLine, Ending, FindingLine, GoalLine, HopLine, HostLine,
    Material, PathLine, RiskLine, TreatmentLine, View, view,
};
pub use watch::{WatchEvent, WhoLine, event_line, event_text};
pub use words::{age, day, effort, frequency, hours, last_day, moment};
