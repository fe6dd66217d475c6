//! Known flaws of vendor code: feeds read, compiled into one index, and matched with what is
//! installed, with a reason for every verdict.
//!
//! Nothing is fetched here, and nothing is said of what no feed covers: that is *unknown*.

mod feeds;
mod guard;
mod index;
mod libraries;
mod matching;
mod order;
mod rule;
mod rule_book;
mod severity;
mod stated;
mod track;

pub use feeds::{
    Content, Exploited, FeedError, FlawFeed, Predicted, Predictions, RawAdvisory, RawRow,
    Statement, Status, read,
};
pub use guard::{Refusal, canaries, may_replace};
pub use index::{
    Advisory, Index, IndexError, Kind, Names, Row, Section, SectionInfo, compile, hexadecimal,
};
pub use libraries::{covers_host, covers_libraries, match_applications};
pub use matching::{
    Compared, Feeds, FlawSection, Judgement, Replay, covers, judge_package, match_host, release_of,
};
pub use order::Order;
pub use rule::{End, Rule, Span};
pub use rule_book::{Deadline, RuleBook, deadline};
pub use severity::{Severity, severity};
pub use track::track_records;
