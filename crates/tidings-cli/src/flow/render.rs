//! A flow for people: one line per event, indented below its cause, with columns that line up.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::tree::{Node, walk};
use super::{Dead, Scanned, Target};
use crate::output::{self, Screen};
use crate::{limits, record};

/// How many topics the headline names.
const TOPICS_NAMED: usize = 3;

/// The headline and the trees.
pub fn flow(target: &Target, roots: &[Node], scanned: &Scanned, screen: &Screen) -> String {
    let mut text = format!("{}\n", headline(target, roots, scanned, screen));
    for root in roots {
        let lines = Lines::of(root);
        text.push('\n');
        for line in lines.render(screen) {
            text.push_str(&screen.fit(&line));
            text.push('\n');
        }
    }
    text
}

/// `scanned orders, payments and 7 more from 10:40:55 (2,114 records)`.
pub fn range(scanned: &Scanned) -> String {
    let zone = TimeZone::system();
    let named = scanned.topics.iter().take(TOPICS_NAMED).cloned().collect::<Vec<_>>().join(", ");
    let more = match scanned.topics.len().saturating_sub(TOPICS_NAMED) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    let from = match scanned.from {
        Some(time) => format!("{}", time.to_zoned_datetime(zone).strftime("%Y-%m-%d %H:%M:%S")),
        None => "the beginning".to_owned(),
    };
    let records = output::counted(scanned.records as i64, "record");
    match scanned.topics.is_empty() {
        true => "there are no topics".to_owned(),
        false => format!("scanned {named}{more} from {from} ({records})"),
    }
}

fn headline(target: &Target, roots: &[Node], scanned: &Scanned, screen: &Screen) -> String {
    let title = match target {
        Target::Id(id) => format!("event {id}"),
        Target::Key(key) => key.title(),
    };
    let nodes: Vec<&Node> = roots.iter().flat_map(walk).collect();
    let services: BTreeSet<&str> = nodes.iter().map(|node| node.fact.source.as_str()).collect();
    let last = nodes.iter().filter_map(|node| node.after_ms).max().unwrap_or(0);
    let dead: usize = nodes.iter().map(|node| node.dead.len()).sum();
    let retrying: usize = nodes.iter().map(|node| node.retrying.len()).sum();
    let mut parts = vec![
        screen.bold(&output::printable(&title)),
        format!(
            "{} in {}",
            output::counted(nodes.len() as i64, "event"),
            output::counted(services.len() as i64, "service")
        ),
        output::duration(Duration::from_millis(last.max(0) as u64)),
    ];
    if dead > 0 {
        parts.push(screen.red(&output::counted(dead as i64, "dead letter")));
    }
    if retrying > 0 {
        parts.push(screen.yellow(&format!("{} tried again", output::grouped(retrying as i64))));
    }
    parts.push(screen.dim(&range(scanned)));
    parts.join(" · ")
}

/// One line before the widths of its columns are known.
struct Line {
    branch: String,
    name: String,
    is_dead: bool,
    service: String,
    after: String,
    place: String,
    remark: String,
}

struct Lines(Vec<Line>);

impl Lines {
    fn of(root: &Node) -> Self {
        let mut lines = Self(Vec::new());
        if let Some(cause) = &root.missing_cause {
            lines.0.push(Line::remark(format!(
                "caused by {}, which is not in what was scanned",
                output::printable(cause)
            )));
        }
        let left_out = lines.push(root, "", "");
        if left_out > 0 {
            lines.0.push(Line::remark(format!(
                "and {} more; all of them:  --json",
                output::counted(left_out as i64, "event")
            )));
        }
        lines
    }

    /// Adds a node and what it caused; returns how many nodes there was no room for.
    fn push(&mut self, node: &Node, branch: &str, below: &str) -> usize {
        if self.0.len() >= limits::FLOW_TREE_LINES {
            return walk(node).count();
        }
        self.0.push(Line::of(node, branch));
        let mut left_out = 0;
        let letters = node.dead.len() + node.retrying.len();
        let last = (node.children.len() + letters).saturating_sub(1);
        for (at, child) in node.children.iter().enumerate() {
            let (first, rest) = if at == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            left_out += self.push(child, &format!("{below}{first}"), &format!("{below}{rest}"));
        }
        for (at, dead) in node.dead.iter().chain(&node.retrying).enumerate() {
            let first = if at + node.children.len() == last { "└─ " } else { "├─ " };
            self.0.push(Line::of_dead(node, dead, &format!("{below}{first}")));
        }
        left_out
    }

    fn render(self, screen: &Screen) -> Vec<String> {
        let width = |of: fn(&Line) -> usize| self.0.iter().map(of).max().unwrap_or(0);
        let tree = width(|line| console::measure_text_width(&line.branch) + line.head_width());
        let service = width(|line| console::measure_text_width(&line.service));
        let after = width(|line| line.after.len());
        let place = width(|line| console::measure_text_width(&line.place));
        self.0.iter().map(|line| line.render([tree, service, after, place], screen)).collect()
    }
}

impl Line {
    fn of(node: &Node, branch: &str) -> Self {
        let mut remarks = Vec::new();
        if let Some(attempts) = node.fact.attempts.filter(|attempts| *attempts > 1) {
            remarks.push(format!("{attempts} attempts"));
        }
        if node.copies > 1 {
            remarks.push(format!("{} copies", node.copies));
        }
        Self {
            branch: branch.to_owned(),
            name: output::printable(record::short_type(&node.fact.ty)),
            is_dead: false,
            service: output::printable(record::service(&node.fact.source)),
            after: after(node.after_ms, branch.is_empty()),
            place: node.fact.address.to_string(),
            remark: remarks.join(", "),
        }
    }

    fn of_dead(node: &Node, dead: &Dead, branch: &str) -> Self {
        let ms = node
            .fact
            .time
            .zip(dead.time)
            .zip(node.after_ms)
            .map(|((from, to), ms)| to.as_millisecond() - from.as_millisecond() + ms);
        let mark = if dead.is_retrying() { "↻" } else { "✗" };
        let name = output::printable(&dead.name(&node.fact.id));
        Self {
            branch: branch.to_owned(),
            name: format!("{mark} {}", output::printable(record::short_type(&node.fact.ty))),
            is_dead: !dead.is_retrying(),
            service: output::printable(dead.service.as_deref().unwrap_or("?")),
            after: after(ms, false),
            place: dead.address.to_string(),
            remark: format!("{}  tidings dlq show {name}", dead.sentence()),
        }
    }

    fn remark(text: String) -> Self {
        Self {
            branch: String::new(),
            name: text,
            is_dead: false,
            service: String::new(),
            after: String::new(),
            place: String::new(),
            remark: String::new(),
        }
    }

    /// A remark stands alone and does not widen the columns.
    fn head_width(&self) -> usize {
        if self.place.is_empty() { 0 } else { console::measure_text_width(&self.name) }
    }

    fn render(&self, [tree, service, after, place]: [usize; 4], screen: &Screen) -> String {
        if self.place.is_empty() {
            return screen.dim(&format!("({})", self.name));
        }
        let used = console::measure_text_width(&self.branch) + self.head_width();
        let name = match self.is_dead {
            true => screen.red(&self.name),
            false => screen.cyan(&self.name),
        };
        let line = format!(
            "{}{name}{}  {}  {:>after$}  {}  {}",
            screen.dim(&self.branch),
            " ".repeat(tree - used),
            pad(&self.service, service),
            self.after,
            pad(&self.place, place),
            if self.is_dead { screen.red(&self.remark) } else { self.remark.clone() },
        );
        line.trim_end().to_owned()
    }
}

fn pad(text: &str, width: usize) -> String {
    let spaces = width.saturating_sub(console::measure_text_width(text));
    format!("{text}{}", " ".repeat(spaces))
}

fn after(ms: Option<i64>, is_root: bool) -> String {
    match ms {
        None => "?".to_owned(),
        Some(0) if is_root => "0 ms".to_owned(),
        Some(ms) if ms < 0 => {
            format!("-{}", output::duration(Duration::from_millis(ms.unsigned_abs())))
        }
        Some(ms) => format!("+{}", output::duration(Duration::from_millis(ms as u64))),
    }
}
