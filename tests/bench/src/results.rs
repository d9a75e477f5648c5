//! Answers by what they were: the table, the targets and the plot that a load has, wherever it goes.

use anyhow::Result;
use serde_json::json;

use crate::load::{Answered, Kind};
use crate::measure::{Spread, histogram, millis};
use crate::report::{Report, Section, Target, plots};

/// What a kind of answer is called, below how many milliseconds 95 of a hundred should be, and which it is.
type Group = (&'static str, Option<f64>, fn(&Answered) -> bool);
const GROUPS: [Group; 5] = [
    ("hit", Some(10.0), |it| it.kind == Kind::Hit),
    ("miss", Some(100.0), |it| it.kind == Kind::Miss),
    ("bypass", None, |it| it.kind == Kind::Bypass),
    ("page of a list", None, |it| !it.is_write && it.is_list),
    ("write", Some(150.0), |it| it.is_write),
];

/// Which reads, and from which share on their hits should be.
type Ratio = (&'static str, f64, fn(&Answered) -> bool);
const RATIOS: [Ratio; 3] = [
    ("lists", 0.80, |it| !it.is_write && it.is_list),
    ("single properties", 0.90, |it| !it.is_write && !it.is_list),
    ("all reads", 0.85, |it| !it.is_write),
];

/// Sets the targets, whose names begin with `name`, and gives the table. What did not occur has neither.
pub fn by_result(report: &mut Report, name: &str, title: &str, answered: &[Answered]) -> Result<Section> {
    for (reads, target, is_it) in RATIOS {
        let reads_of = || answered.iter().filter(|it| is_it(it));
        if let Some(ratio) = hit_ratio(reads_of()) {
            let name = format!("{name}: hit ratio of {reads}");
            report.target(Target::above(&name, target, Spread::of([ratio])));
        }
    }
    let (mut rows, mut data, mut plotted) = (Vec::new(), Vec::new(), Vec::new());
    for (kind, target, is_it) in GROUPS {
        let latencies = histogram(answered.iter().filter(|it| is_it(it)))?;
        let count = latencies.len();
        if count == 0 {
            continue;
        }
        let [p50, p95, p99, slowest] = [0.5, 0.95, 0.99, 1.0].map(|p| millis(latencies.value_at_quantile(p)));
        if let Some(target) = target {
            let name = format!("{name}: p95 of a {kind}, in ms");
            report.target(Target::below(&name, target, Spread::of([p95])));
        }
        let numbers = [p50, p95, p99, slowest].map(|millis| format!("{millis:.2}"));
        rows.push([kind.to_owned(), count.to_string()].into_iter().chain(numbers).collect());
        data.push(json!({ "name": kind, "count": count, "p50_ms": p50, "p95_ms": p95, "p99_ms": p99 }));
        plotted.push((kind.to_owned(), latencies));
    }
    let header = ["result", "requests", "p50 (ms)", "p95 (ms)", "p99 (ms)", "slowest (ms)"].map(str::to_owned);
    let mut section = Section::new(title, header.to_vec(), rows);
    section.note("A page of a list counts as the hit, the miss or the bypass that it was as well.");
    section.data(json!({ "by_result": data }));
    if !plotted.is_empty() {
        section.plot(plots::distributions(&format!("{name}: latency by result"), &plotted)?);
    }
    Ok(section)
}

/// Which share of these were hits; `None` of none.
pub fn hit_ratio<'a>(reads: impl Iterator<Item = &'a Answered>) -> Option<f64> {
    let (hits, all) = reads.fold((0_u64, 0_u64), |(hits, all), it| (hits + u64::from(it.kind == Kind::Hit), all + 1));
    (all > 0).then(|| hits as f64 / all as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(kind: Kind, is_list: bool, millis: u32) -> Answered {
        Answered { micros: millis * 1_000, kind, is_write: kind == Kind::Other, is_list }
    }

    #[test]
    fn what_did_not_occur_has_no_target_and_no_row() {
        let mut report = Report::new("a load", "");
        let reads = [answered(Kind::Hit, false, 1), answered(Kind::Hit, false, 1), answered(Kind::Miss, false, 200)];
        let section = by_result(&mut report, "Load", "By result", &reads).expect("a section");
        report.section(section);
        let table = report.table();
        assert!(table.contains("Load: hit ratio of single properties") && table.contains("0.67"), "{table}");
        assert!(table.contains("Load: p95 of a miss, in ms") && table.contains("MISSED"), "{table}");
        for absent in ["lists", "write", "bypass  "] {
            assert!(!table.contains(absent), "{absent}: {table}");
        }
    }

    #[test]
    fn a_page_counts_as_what_it_was_as_well() {
        let pages = [answered(Kind::Hit, true, 1), answered(Kind::Bypass, true, 1)];
        let mut report = Report::new("a load", "");
        let section = by_result(&mut report, "Load", "By result", &pages).expect("a section");
        report.section(section);
        let table = report.table();
        assert!(table.contains("page of a list         2"), "{table}");
        assert_eq!(hit_ratio(pages.iter()), Some(0.5));
        assert_eq!(hit_ratio([].iter()), None);
    }
}
