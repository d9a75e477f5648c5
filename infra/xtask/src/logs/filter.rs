//! Which lines are asked for. Pure.

use super::line::{Level, Line};

/// What must be true of an event; of a line that is none only that nothing is asked.
#[derive(Default)]
pub struct Filter {
    pub level: Option<Level>,
    /// Names, or what names begin with before a dot.
    pub events: Vec<String>,
    pub trace_id: Option<String>,
    /// Whether what is no event is left out in any case.
    pub events_alone: bool,
}

impl Filter {
    /// Whether this line is asked for.
    pub fn passes(&self, line: &Line<'_>) -> bool {
        let Line::Event { level, event, trace_id, .. } = line else {
            return !self.events_alone && self.level.is_none() && self.events.is_empty() && self.trace_id.is_none();
        };
        let is_below = |name: &String| {
            event.strip_prefix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.level.is_none_or(|least| *level >= least)
            && (self.events.is_empty() || self.events.iter().any(is_below))
            && (self.trace_id.is_none() || self.trace_id == *trace_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"event":"redis.unavailable","level":"warn","trace_id":"0af7"}"#;

    fn passes(filter: &Filter) -> bool {
        filter.passes(&Line::of(LINE))
    }

    #[test]
    fn an_event_passes_by_its_level_and_those_that_matter_less_do_not() {
        let of = |level| Filter { level: Some(level), ..Filter::default() };
        assert!(passes(&of(Level::Info)) && passes(&of(Level::Warn)));
        assert!(!passes(&of(Level::Error)));
    }

    #[test]
    fn an_event_passes_by_its_name_and_by_what_it_is_below() {
        let of = |names: &[&str]| {
            passes(&Filter { events: names.iter().map(|&name| name.into()).collect(), ..Filter::default() })
        };
        assert!(of(&["redis.unavailable"]) && of(&["redis"]) && of(&["breaker", "redis"]));
        for other in ["red", "redis.unavail", "redis.refused", "unavailable", "breaker"] {
            assert!(!of(&[other]), "{other}");
        }
    }

    #[test]
    fn an_event_passes_by_its_trace() {
        let of = |id: &str| passes(&Filter { trace_id: Some(id.into()), ..Filter::default() });
        assert!(of("0af7"));
        assert!(!of("0af"));
    }

    #[test]
    fn all_that_is_asked_must_be_true() {
        let filter = Filter { level: Some(Level::Warn), events: vec!["breaker".into()], ..Filter::default() };
        assert!(!passes(&filter));
    }

    #[test]
    fn what_is_no_event_passes_only_where_nothing_is_asked() {
        let passes = |filter: Filter| filter.passes(&Line::of("Serving http://127.0.0.1:3000"));
        assert!(passes(Filter::default()));
        assert!(!passes(Filter { level: Some(Level::Info), ..Filter::default() }));
        assert!(!passes(Filter { events: vec!["a".into()], ..Filter::default() }));
        assert!(!passes(Filter { trace_id: Some("a".into()), ..Filter::default() }));
        assert!(!passes(Filter { events_alone: true, ..Filter::default() }));
    }
}
