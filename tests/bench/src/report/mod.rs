//! The report: a table for the terminal, `report.json` for machines and `report.html` for people.

mod html;
pub mod plots;

use std::fmt::Write;
use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};

use crate::measure::{Series, Spread};
use crate::process::Cpu;

/// From this share of the machine on, the load generator is what was measured.
const GENERATOR_LIMIT: f64 = 0.5;

/// A line of points.
pub struct Curve {
    /// Its name.
    pub name: String,
    /// x and y.
    pub points: Vec<(f64, f64)>,
}

/// A table of a case, with what is to be said of it.
pub struct Section {
    title: String,
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    notes: Vec<String>,
    plots: Vec<String>,
    data: Value,
    /// The largest share of the machine that the generator took in any round, and in which series.
    generator: Option<(String, f64)>,
}

impl Section {
    /// A section.
    pub fn new(title: &str, header: Vec<String>, rows: Vec<Vec<String>>) -> Section {
        Section {
            title: title.into(),
            header,
            rows,
            notes: Vec::new(),
            plots: Vec::new(),
            data: Value::Null,
            generator: None,
        }
    }

    /// A section on series that were measured by turns.
    pub fn of_series<'a>(title: &str, series: impl IntoIterator<Item = &'a Series>) -> Section {
        let header = [
            "",
            "requests/s",
            "min – max",
            "p50 (ms)",
            "p99 (ms)",
            "p99 min – max",
            "server CPU (µs)",
            "load generator",
        ];
        let (mut rows, mut data, mut generator) = (Vec::new(), Vec::new(), None::<(String, f64)>);
        for series in series {
            let (throughput, p99, share) = (series.throughput(), series.p99(), series.generator_share());
            rows.push(vec![
                series.name.clone(),
                format!("{:.0}", throughput.median),
                format!("{:.0} – {:.0}", throughput.min, throughput.max),
                format!("{:.2}", series.p50().median),
                format!("{:.2}", p99.median),
                format!("{:.2} – {:.2}", p99.min, p99.max),
                format!("{:.0}", series.server_cpu(Cpu::both).median),
                format!("{:.0} %", 100.0 * share.median),
            ]);
            data.push(series.json());
            if generator.as_ref().is_none_or(|(_, most)| share.median > *most) {
                generator = Some((series.name.clone(), share.median));
            }
        }
        let mut section = Section::new(title, header.map(str::to_owned).to_vec(), rows);
        (section.data, section.generator) = (data.into(), generator);
        section
    }

    /// Adds a sentence.
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// Adds a plot, which is SVG.
    pub fn plot(&mut self, svg: String) {
        self.plots.push(svg);
    }

    /// Says which share of the machine the load generator took.
    pub fn generator(&mut self, name: &str, share: f64) {
        self.generator = Some((name.into(), share));
    }

    /// Adds to what `report.json` says, which is an object.
    pub fn add(&mut self, name: &str, value: impl Into<Value>) {
        self.data[name] = value.into();
    }

    /// Sets what `report.json` says.
    pub fn data(&mut self, data: Value) {
        self.data = data;
    }
}

/// Something that was to be reached.
pub struct Target {
    name: String,
    wanted: String,
    got: Spread,
    is_met: bool,
}

impl Target {
    fn new(name: &str, wanted: String, got: Spread, is_met: bool) -> Target {
        Target { name: name.into(), wanted, got, is_met }
    }

    /// The median must be `limit` or more.
    pub fn at_least(name: &str, limit: f64, got: Spread) -> Target {
        Target::new(name, format!("≥ {limit}"), got, got.median >= limit)
    }

    /// The median must be more than `limit`.
    pub fn above(name: &str, limit: f64, got: Spread) -> Target {
        Target::new(name, format!("> {limit}"), got, got.median > limit)
    }

    /// The median must be `limit` or less.
    pub fn at_most(name: &str, limit: f64, got: Spread) -> Target {
        Target::new(name, format!("≤ {limit}"), got, got.median <= limit)
    }

    /// The median must be less than `limit`.
    pub fn below(name: &str, limit: f64, got: Spread) -> Target {
        Target::new(name, format!("< {limit}"), got, got.median < limit)
    }

    /// The median must lie between.
    pub fn within(name: &str, from: f64, to: f64, got: Spread) -> Target {
        Target::new(name, format!("{from} – {to}"), got, (from..=to).contains(&got.median))
    }

    fn verdict(&self) -> &'static str {
        if self.is_met { "met" } else { "MISSED" }
    }

    fn row(&self) -> Vec<String> {
        let Spread { median, min, max } = self.got;
        vec![
            self.name.clone(),
            self.wanted.clone(),
            format!("{median:.2}"),
            format!("{min:.2} – {max:.2}"),
            self.verdict().into(),
        ]
    }
}

/// Everything that was measured.
pub struct Report {
    title: &'static str,
    /// How to read it.
    about: &'static str,
    facts: Vec<(String, String)>,
    targets: Vec<Target>,
    sections: Vec<Section>,
}

impl Report {
    /// An empty report, with a sentence on how to read it.
    pub fn new(title: &'static str, about: &'static str) -> Report {
        Report { title, about, facts: Vec::new(), targets: Vec::new(), sections: Vec::new() }
    }

    /// Adds something that holds for the whole run.
    pub fn fact(&mut self, name: &str, value: impl Into<String>) {
        self.facts.push((name.into(), value.into()));
    }

    /// Adds a section.
    pub fn section(&mut self, section: Section) {
        self.sections.push(section);
    }

    /// Adds a target.
    pub fn target(&mut self, target: Target) {
        self.targets.push(target);
    }

    /// The targets as a section of their own.
    fn targets(&self) -> Section {
        let header = ["target", "wanted", "median", "min – max", ""].map(str::to_owned).to_vec();
        let mut section = Section::new("Targets", header, self.targets.iter().map(Target::row).collect());
        let missed = self.targets.iter().filter(|target| !target.is_met).count();
        section.note(match missed {
            0 => "All targets are met.".to_owned(),
            _ => format!("{missed} of {} targets are MISSED.", self.targets.len()),
        });
        section.note(self.generator());
        section
    }

    /// Whether the load generator was itself the limit.
    fn generator(&self) -> String {
        let limited: Vec<String> = self
            .sections
            .iter()
            .filter_map(|section| section.generator.as_ref().map(|(name, share)| (&section.title, name, share)))
            .filter(|(_, _, share)| **share > GENERATOR_LIMIT)
            .map(|(title, name, share)| format!("{title}: {name} ({:.0} %)", 100.0 * share))
            .collect();
        if limited.is_empty() {
            return "The load generator was nowhere the limit: it took less than half of the machine.".into();
        }
        format!(
            "The load generator was itself the limit, with more than half of the machine, in: {}. What was measured there \
             could do more than is told.",
            limited.join("; ")
        )
    }

    /// For the terminal.
    pub fn table(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.facts {
            let _ = writeln!(text, "{name}: {value}");
        }
        for section in self.sections.iter().chain([&self.targets()]) {
            let _ = writeln!(text, "\n{}", section.title);
            let lines: Vec<&Vec<String>> = std::iter::once(&section.header).chain(&section.rows).collect();
            let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
            let widths: Vec<usize> = (0..section.header.len()).map(width).collect();
            for line in lines {
                let cell = |(column, cell): (usize, &String)| {
                    let space = " ".repeat(widths[column] - cell.chars().count());
                    // What is a name stands to the left, what is a number to the right.
                    if column == 0 { format!("{cell}{space}") } else { format!("{space}{cell}") }
                };
                let cells: Vec<String> = line.iter().enumerate().map(cell).collect();
                let _ = writeln!(text, "  {}", cells.join("  ").trim_end());
            }
            for note in &section.notes {
                let _ = writeln!(text, "  {note}");
            }
        }
        text
    }

    /// Writes `report.html` and `report.json`.
    pub fn write(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder)?;
        let section =
            |section: &Section| json!({ "title": section.title, "notes": section.notes, "data": section.data });
        let target = |target: &Target| json!({ "name": target.name, "wanted": target.wanted, "got": target.got.json(), "met": target.is_met });
        let json = json!({
            "facts": self.facts.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
            "targets": self.targets.iter().map(target).collect::<Vec<_>>(),
            "load_generator": self.generator(),
            "sections": self.sections.iter().map(section).collect::<Vec<_>>(),
        });
        std::fs::write(folder.join("report.json"), serde_json::to_string_pretty(&json)? + "\n")?;
        std::fs::write(folder.join("report.html"), html::page(self, &self.targets()))?;
        eprintln!("==> {}", folder.join("report.html").display());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_judged_by_the_median() {
        let got = Spread { median: 0.5, min: 0.1, max: 9.0 };
        let check = |target: Target, expected: &str| assert_eq!(target.verdict(), expected, "{}", target.wanted);
        check(Target::at_least("", 0.5, got), "met");
        check(Target::at_least("", 0.6, got), "MISSED");
        check(Target::above("", 0.5, got), "MISSED");
        check(Target::at_most("", 0.5, got), "met");
        check(Target::below("", 0.5, got), "MISSED");
        check(Target::within("", 0.4, 0.6, got), "met");
        check(Target::within("", 0.6, 0.7, got), "MISSED");
    }

    #[test]
    fn a_report_says_how_many_targets_are_missed_and_whether_the_generator_was_the_limit() {
        let mut report = Report::new("A title", "A word.");
        report.target(Target::at_least("one", 2.0, Spread { median: 1.0, min: 1.0, max: 1.0 }));
        let mut section = Section::new("A case", vec![String::new()], vec![vec!["<row>".into()]]);
        section.generator = Some(("a series".into(), 0.6));
        report.section(section);
        let table = report.table();
        assert!(table.contains("1 of 1 targets are MISSED"), "{table}");
        assert!(table.contains("was itself the limit") && table.contains("A case: a series (60 %)"), "{table}");
        let folder = tempfile::tempdir().expect("a folder");
        report.write(folder.path()).expect("written");
        let html = std::fs::read_to_string(folder.path().join("report.html")).expect("a page");
        assert!(html.contains("&lt;row&gt;") && !html.contains("http"), "escaped, and it needs nothing from elsewhere");
    }
}
