use super::exposition::{FAMILIES, seconds};
use super::*;
use proptest::prelude::*;

const NOW: u64 = 1_000_000_000;

fn delta(requests: u64, micros: &[u64]) -> Delta {
    let mut delta = Delta::default();
    delta.count(Count::Lookup(Kind::Single, CacheStatus::Hit), requests);
    for micros in micros {
        delta.time(Timing::Redis(Command::GetRange), Duration::from_micros(*micros));
    }
    delta
}

#[test]
fn every_series_belongs_to_a_family_that_is_told() {
    for count in Count::known() {
        let series = count.series();
        let family = FAMILIES.iter().find(|family| series.split('{').next() == Some(family.name));
        assert_eq!(family.map(|family| family.kind), Some("counter"), "{series}");
    }
    for timing in [
        Timing::Request { route: RouteLabel::Property, result: RequestResult::Write },
        Timing::Redis(Command::GetRange),
        Timing::Postgres,
    ] {
        let series = timing.series();
        let family = FAMILIES.iter().find(|family| series.split('{').next() == Some(family.name));
        assert_eq!(family.map(|family| family.kind), Some("histogram"), "{series}");
    }
}

#[test]
fn what_has_not_happened_yet_is_told_as_0() {
    let text = exposition(&Totals::default(), &[]);
    assert!(text.contains("\nrenttracker_cache_lookups_total{kind=\"list\",result=\"hit\"} 0\n"), "{text}");
    assert!(text.contains("# TYPE renttracker_breaker_transitions_total counter\n"));
}

#[test]
fn a_histogram_is_told_with_cumulative_buckets() {
    let mut totals = Totals::default();
    totals.add(&delta(1, &[200, 201, 7_000_000]), NOW);
    let text = exposition(&totals, &[]);
    for line in [
        "renttracker_redis_duration_seconds_bucket{command=\"GETRANGE\",le=\"0.0002\"} 1",
        "renttracker_redis_duration_seconds_bucket{command=\"GETRANGE\",le=\"0.0005\"} 2",
        "renttracker_redis_duration_seconds_bucket{command=\"GETRANGE\",le=\"0.1\"} 2",
        "renttracker_redis_duration_seconds_bucket{command=\"GETRANGE\",le=\"+Inf\"} 3",
        "renttracker_redis_duration_seconds_sum{command=\"GETRANGE\"} 7.000401",
        "renttracker_redis_duration_seconds_count{command=\"GETRANGE\"} 3",
    ] {
        assert!(text.lines().any(|told| told == line), "{line} is missing in {text}");
    }
}

#[test]
fn quantiles_are_those_of_the_last_minute() {
    let mut totals = Totals::default();
    totals.add(&delta(0, &[90_000; 100]), NOW);
    totals.add(&delta(0, &[100; 99]), NOW + 100_000);
    totals.add(&delta(0, &[4_000]), NOW + 110_000);
    let minute = totals.recent_redis(NOW + 110_000);
    assert_eq!(minute.total(), 100);
    assert_eq!(minute.quantile_micros(50), Some(200));
    assert_eq!(minute.quantile_micros(99), Some(200));
    assert_eq!(minute.quantile_micros(100), Some(5_000));
    assert_eq!(Totals::default().recent_redis(NOW).quantile_micros(50), None);
}

#[test]
fn totals_survive_being_stored() {
    let mut totals = Totals::default();
    totals.add(&delta(3, &[1]), NOW);
    let text = serde_json::to_string(&totals).expect("serializes");
    assert_eq!(serde_json::from_str::<Totals>(&text).expect("reads back"), totals);
}

proptest! {
    /// However counts are spread over instances and shards, the sum is the same.
    #[test]
    fn nothing_is_counted_twice_or_lost(parts in proptest::collection::vec((0_u64..50, 0_usize..4, 1_u64..200_000), 1..30)) {
        let mut shards = vec![Totals::default(); 4];
        let (mut hits, mut sum) = (0, 0);
        for (count, shard, micros) in &parts {
            shards[*shard].add(&delta(*count, &[*micros]), NOW);
            hits += count;
            sum += micros;
        }
        let mut all = Totals::default();
        for shard in shards.iter().rev() {
            all.merge(shard);
        }
        prop_assert_eq!(all.hits_and_misses(Kind::Single), (hits, 0));
        let told = exposition(&all, &[]);
        let count_line = format!("renttracker_redis_duration_seconds_count{{command=\"GETRANGE\"}} {}\n", parts.len());
        let sum_line = format!("renttracker_redis_duration_seconds_sum{{command=\"GETRANGE\"}} {}\n", seconds(sum));
        prop_assert!(told.contains(&count_line));
        prop_assert!(told.contains(&sum_line));
    }
}
