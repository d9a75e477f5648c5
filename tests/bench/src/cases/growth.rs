//! What becomes of latencies and of PostgreSQL's work when the table grows: three tables, measured by turns.

use std::sync::Arc;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::{Size, always, once};
use crate::counters::{READS, work};
use crate::load::{Ask, Kind, Limit, Next};
use crate::measure::{Series, Spread, Subject, alternate};
use crate::report::{Curve, Report, Section, Target, plots};
use crate::seed;
use crate::stage::{Api, Stage};

/// The small landlord that is in every table.
const SMALL: &str = "small-0";
const SMALL_PROPERTIES: i64 = 10;
const LARGE: &str = "large-0";
/// The rest belongs to landlords of so many properties.
const USUAL_PROPERTIES: i64 = 20;
const CLIENTS: usize = 4;
/// A hit is flat if it stays within this of the smallest table's.
const FLAT: f64 = 0.1;
/// The page that is far from the start, of fifty.
const FAR: i64 = 1_000;
const PAGE_SIZE: i64 = 50;

struct Table {
    rows: i64,
    api: Api,
    /// A property of the small landlord.
    single: Ask,
    /// Every property of a usual landlord or the small one, for misses.
    singles: Vec<Ask>,
    page: Ask,
}

impl Table {
    fn of(stage: &Stage, size: &Size, rows: i64) -> Result<Table> {
        let name = format!("growth{rows}");
        let database = stage.database(&name)?;
        let mut client = postgres::Client::connect(&database, postgres::NoTls)?;
        seed::properties(&mut client, "small-", 1, SMALL_PROPERTIES, 100)?;
        let large = if rows > size.large_tenant { size.large_tenant } else { 0 };
        if large > 0 {
            seed::properties(&mut client, "large-", 1, large, 100)?;
        }
        let rest = rows - SMALL_PROPERTIES - large;
        seed::properties(&mut client, "usual-", (rest / USUAL_PROPERTIES).max(1), rest, 100)?;
        seed::settle(&mut client)?;
        let get = |id: &String| stage.get(SMALL, &format!("/api/properties/{id}"));
        let singles: Vec<Ask> = seed::ids(&mut client, SMALL)?.iter().map(get).collect::<Result<_>>()?;
        let single = singles.first().context("a property")?.clone();
        let api = stage.api(&name, &database, &[])?;
        let page = stage.get(SMALL, "/api/properties?pageSize=50")?;
        Ok(Table { rows, api, single, singles, page })
    }

    fn subject(&self, size: &Size, name: &str, next: Next, is_cached: bool, stage: &Stage) -> Result<Subject> {
        let (cache, instance) = (stage.cache()?, self.api.instance.clone());
        let limit = if is_cached { Limit::For(size.round) } else { Limit::Requests(self.singles.len()) };
        let (name, clients) = (format!("{name}, {} rows", self.rows), if is_cached { CLIENTS } else { 1 });
        Ok(Subject {
            prepare: (!is_cached)
                .then(|| -> Box<dyn Fn() -> Result<()>> { Box::new(move || cache.forget(&instance, "")) }),
            must_be: is_cached.then_some(Kind::Hit),
            ..Subject::new(&name, (self.api.address()?, self.api.host.pid()), clients, limit, next)
        })
    }
}

/// Measures.
pub fn measure(stage: &Stage, size: &Size, report: &mut Report) -> Result<()> {
    let mut tables = Vec::new();
    for rows in size.growth {
        tables.push(Table::of(stage, size, rows)?);
    }
    let hits = |table: &Table| table.subject(size, "hit", always(table.single.clone()), true, stage);
    for table in &tables {
        once(&table.api, table.single.clone())?;
    }
    let hits = alternate(size.rounds, tables.iter().map(hits).collect::<Result<_>>()?)?;

    let (mut misses, mut works) = (Vec::new(), Vec::new());
    let subject = |table: &Table| {
        let singles = table.singles.clone();
        let next: Next = Arc::new(move |_, turn| singles[turn % singles.len()].clone());
        table.subject(size, "miss", next, false, stage)
    };
    let mut clients = tables.iter().map(|table| table.api.sql()).collect::<Result<Vec<_>>>()?;
    let before = clients.iter_mut().map(|client| work(client, READS)).collect::<Result<Vec<_>>>()?;
    // Ten requests are a short round: more of them.
    misses.extend(alternate(size.rounds * 3, tables.iter().map(subject).collect::<Result<_>>()?)?);
    for (client, before) in clients.iter_mut().zip(before) {
        works.push(work(client, READS)?.since(before));
    }

    let mut section = Section::of_series("Growth: a landlord of ten in a table that grows", hits.iter().chain(&misses));
    for (table, work) in tables.iter().zip(&works) {
        section.note(format!(
            "{} rows: a miss costs PostgreSQL {:.3} ms and {:.1} blocks.",
            table.rows,
            work.millis_each(),
            work.blocks_each()
        ));
    }
    let curve = |name: &str, series: &[Series]| Curve {
        name: name.into(),
        points: tables.iter().zip(series).map(|(table, series)| (table.rows as f64, series.p50().median)).collect(),
    };
    let curves = [curve("hit, p50", &hits), curve("miss, p50", &misses)];
    section.plot(plots::curves("Latency by rows in the table", "rows", "milliseconds", &curves)?);
    report.section(section);
    let [first, .., last] = &hits[..] else { anyhow::bail!("a table is missing") };
    let ratio = last.p50_ratio(first);
    let name = format!("hit p50, {} rows ÷ {} rows", size.growth[2], size.growth[0]);
    report.target(Target::within(&name, 1.0 - FLAT, 1.0 + FLAT, ratio));
    pages(stage, &tables[tables.len() - 1], size, report)
}

/// The pages of a small and of a large landlord, the first and a far one, by number and by keyset, each once uncached.
fn pages(stage: &Stage, table: &Table, size: &Size, report: &mut Report) -> Result<()> {
    let far = FAR.min(size.large_tenant / PAGE_SIZE);
    let numbered = |page: i64| stage.get(LARGE, &format!("/api/properties?pageSize={PAGE_SIZE}&pageNumber={page}"));
    let mut client = table.api.sql()?;
    // The last property of the page before: what a client who walked there would hold in its cursor.
    let before = (far - 1) * PAGE_SIZE - 1;
    let row = client.query_one(
        "SELECT address, id::text FROM properties WHERE tenant_id = $1 ORDER BY address, id LIMIT 1 OFFSET $2",
        &[&LARGE, &before],
    )?;
    let cursor = cursor_of(stage, &table.api, row.get(0), row.get(1))?;
    let walked = |cursor: &str| stage.get(LARGE, &format!("/api/properties?pageSize={PAGE_SIZE}&after={cursor}"));
    let asks = [
        ("ten properties, the only page".to_owned(), table.page.clone()),
        (format!("{} properties, page 1 by number", size.large_tenant), numbered(1)?),
        (format!("{} properties, page {far} by number", size.large_tenant), numbered(far)?),
        (format!("{} properties, first page by keyset", size.large_tenant), walked("")?),
        (format!("{} properties, page {far} by keyset", size.large_tenant), walked(&cursor)?),
    ];
    let (mut rows, mut data) = (Vec::new(), Vec::new());
    for (name, ask) in asks {
        let mut latencies = Vec::new();
        let before = work(&mut client, READS)?;
        for _ in 0..size.rounds * 3 {
            stage.cache()?.forget(&table.api.instance, "")?;
            let outcome = crate::load::run(table.api.address()?, 1, Limit::Requests(1), always(ask.clone()))?;
            latencies.extend(outcome.answered.iter().map(|answered| f64::from(answered.micros) / 1_000.0));
        }
        let work = work(&mut client, READS)?.since(before);
        let spread = Spread::of(latencies);
        rows.push(vec![
            name.clone(),
            format!("{:.1}", spread.median),
            format!("{:.1} – {:.1}", spread.min, spread.max),
            format!("{:.2}", work.millis_each()),
            format!("{:.0}", work.blocks_each()),
        ]);
        data.push(json!({
            "name": name, "ms": spread.json(), "database_ms": work.millis_each(), "database_blocks": work.blocks_each(),
        }));
    }
    let header = ["a miss on", "median (ms)", "min – max", "PostgreSQL (ms)", "blocks"].map(str::to_owned);
    let title = format!("Pages of a list among {} rows: by number, and by keyset with after=", table.rows);
    let mut section = Section::new(&title, header.to_vec(), rows);
    section.note("A page by number counts all matches and walks past what lies before it; one by keyset does neither.");
    section.data(json!(data));
    report.section(section);
    Ok(())
}

/// The cursor behind one property: the API's own, for a page that ends with it.
fn cursor_of(stage: &Stage, api: &Api, address: &str, id: &str) -> Result<String> {
    // The first page's cursor shows the form; the place is another.
    let first = once(api, stage.get(LARGE, "/api/properties?pageSize=1&after=")?)?;
    let cursor = first["nextCursor"].as_str().context("a cursor")?;
    let mut content: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(cursor)?)?;
    content[2] = address.into();
    content[3] = id.into();
    Ok(URL_SAFE_NO_PAD.encode(content.to_string()))
}
