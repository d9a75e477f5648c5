//! A trace as text.

use std::fmt::Write as _;

use super::span::Span;

/// The attributes that are shown behind a span, in this order.
const SHOWN: [&str; 5] =
    ["http.response.status_code", "server.address", "db.system.name", "db.operation.name", "error.type"];
/// Names longer than this push their line to the right, not those of all others.
const MAX_WIDTH: usize = 72;
const INDENT: usize = 2;

/// Each span below the one that it is a part of, in the order in which they began. A span whose parent is not here, as a client's
/// is not, stands at the left.
pub fn tree(id: &str, spans: &[Span]) -> String {
    let lines = ordered(spans);
    let label = |(depth, span): &(usize, &Span)| format!("{}{}", " ".repeat(INDENT * (depth + 1)), span.name);
    let labels: Vec<String> = lines.iter().map(label).collect();
    let width = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0).min(MAX_WIDTH);
    let start = spans.iter().map(|span| span.start_ns).min().unwrap_or(0);
    let end = spans.iter().map(|span| span.end_ns).max().unwrap_or(0);
    let (count, s) = (spans.len(), if spans.len() == 1 { "" } else { "s" });
    let mut text = format!("trace {id}: {count} span{s}, {:.1} ms", end.saturating_sub(start) as f64 / 1e6);
    for (label, (_, span)) in labels.iter().zip(&lines) {
        let _ = write!(text, "\n{label:width$} {:9.2} ms", span.milliseconds());
        // The name says it already.
        let shown = SHOWN.iter().filter_map(|name| span.attributes.get(*name)).filter(|value| **value != span.name);
        for value in shown {
            let _ = write!(text, "  {value}");
        }
    }
    text
}

/// The spans as they are shown, each with its depth.
fn ordered(spans: &[Span]) -> Vec<(usize, &Span)> {
    let is_here = |id: &String| spans.iter().any(|span| span.id == *id);
    let parent = |span: &Span| span.parent.clone().filter(is_here);
    let below = |id: Option<&String>| {
        let mut children: Vec<&Span> = spans.iter().filter(|span| parent(span).as_ref() == id).collect();
        // The last is taken first.
        children.sort_by_key(|span| std::cmp::Reverse(span.start_ns));
        children
    };
    let mut waiting: Vec<(usize, &Span)> = below(None).into_iter().map(|span| (0, span)).collect();
    let mut lines = Vec::new();
    while let Some((depth, span)) = waiting.pop() {
        lines.push((depth, span));
        waiting.extend(below(Some(&span.id)).into_iter().map(|child| (depth + 1, child)));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(id: &str, parent: Option<&str>, name: &str, (start, end): (u64, u64), attributes: &[(&str, &str)]) -> Span {
        let attributes = attributes.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let (start_ns, end_ns) = (start * 1_000_000, end * 1_000_000);
        Span {
            id: id.into(),
            parent: parent.map(Into::into),
            name: name.into(),
            start_ns,
            end_ns,
            attributes,
            ..Span::default()
        }
    }

    #[test]
    fn a_span_stands_below_its_parent_with_what_it_took() {
        let spans = [
            span("4", Some("2"), "query", (3, 5), &[("db.system.name", "postgresql"), ("db.operation.name", "SELECT")]),
            span("3", Some("2"), "GETRANGE", (2, 3), &[("db.system.name", "redis"), ("db.operation.name", "GETRANGE")]),
            span("2", Some("1"), "execute", (1, 6), &[]),
            span(
                "1",
                Some("of the client"),
                "GET /",
                (0, 6),
                &[("http.response.status_code", "200"), ("url.path", "/")],
            ),
        ];
        let expected = [
            "trace 7f: 4 spans, 6.0 ms",
            "  GET /             6.00 ms  200",
            "    execute         5.00 ms",
            "      GETRANGE      1.00 ms  redis",
            "      query         2.00 ms  postgresql  SELECT",
        ];
        assert_eq!(tree("7f", &spans).lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn spans_that_are_their_own_ancestors_do_not_keep_it_for_ever() {
        let spans = [span("1", Some("2"), "a", (0, 1), &[]), span("2", Some("1"), "b", (0, 1), &[])];
        assert_eq!(tree("7f", &spans).lines().count(), 1);
    }
}
