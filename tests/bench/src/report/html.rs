//! The page: self-contained, readable without a script.

use std::fmt::Write;

use super::{Report, Section};

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#222}\
    table{border-collapse:collapse;margin:.5rem 0;font-variant-numeric:tabular-nums}\
    th,td{padding:.2rem .7rem;text-align:right;border-bottom:1px solid #ddd;white-space:nowrap}\
    th:first-child,td:first-child{text-align:left}th{font-weight:600}\
    .MISSED{color:#b00020;font-weight:600}.met{color:#1b7f3b}svg{max-width:100%;height:auto;margin:.5rem 0}";

/// The whole page.
pub fn page(report: &Report, targets: &Section) -> String {
    let title = format!("RentTracker Edge: {}", escaped(report.title));
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title><style>{STYLE}</style>\
         <h1>{title}</h1><p>{}</p><ul>",
        escaped(report.about)
    );
    for (name, value) in &report.facts {
        let _ = write!(page, "<li>{}: {}</li>", escaped(name), escaped(value));
    }
    page.push_str("</ul>");
    for section in std::iter::once(targets).chain(&report.sections) {
        add(&mut page, section);
    }
    page + "</html>\n"
}

fn add(page: &mut String, section: &Section) {
    let _ = write!(page, "<h2>{}</h2><table><tr>", escaped(&section.title));
    for cell in &section.header {
        let _ = write!(page, "<th>{}</th>", escaped(cell));
    }
    page.push_str("</tr>");
    for row in &section.rows {
        page.push_str("<tr>");
        for cell in row {
            let class =
                if ["met", "MISSED"].contains(&cell.as_str()) { format!(" class=\"{cell}\"") } else { String::new() };
            let _ = write!(page, "<td{class}>{}</td>", escaped(cell));
        }
        page.push_str("</tr>");
    }
    page.push_str("</table>");
    for note in &section.notes {
        let _ = write!(page, "<p>{}</p>", escaped(note));
    }
    for plot in &section.plots {
        page.push_str(plot);
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
