//! The alerts of `infra/observability`, checked by Prometheus's own tool.

use std::process::Command;

use anyhow::Result;

use crate::shell::run;

const FOLDER: &str = "infra/observability";

/// What `promtool` is asked: the rules by themselves, on good and bad data, and the configuration that loads them.
const CHECKS: [[&str; 3]; 3] =
    [["check", "rules", "alerts.yml"], ["test", "rules", "alerts.test.yml"], ["check", "config", "prometheus.yml"]];

pub fn check() -> Result<()> {
    let folder = stack::repository_root().join(FOLDER);
    CHECKS.iter().try_for_each(|arguments| run(Command::new("promtool").args(arguments).current_dir(&folder)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn read(name: &str) -> String {
        std::fs::read_to_string(stack::repository_root().join(FOLDER).join(name)).expect(name)
    }

    /// What stands behind `key` in each line of `text`.
    fn values<'a>(text: &'a str, key: &str) -> Vec<&'a str> {
        text.lines().filter_map(|line| line.trim_start().strip_prefix(key)).collect()
    }

    /// The alerts that some test of `text` expects to fire, and those that some test expects to be quiet.
    fn expected(text: &str) -> [BTreeSet<&str>; 2] {
        let quiet: BTreeSet<&str> = text
            .lines()
            .filter(|line| line.contains("exp_alerts: []"))
            .filter_map(|line| line.split("alertname: ").nth(1)?.split(',').next())
            .collect();
        [values(text, "alertname: ").into_iter().collect(), quiet]
    }

    #[test]
    fn every_alert_is_tested_on_bad_and_on_good_data_and_told_to_the_operator() {
        let (rules, tests, readme) = (read("alerts.yml"), read("alerts.test.yml"), read("README.md"));
        let alerts = values(&rules, "- alert: ");
        assert!(!alerts.is_empty());
        let [firing, quiet] = expected(&tests);
        for alert in &alerts {
            assert!(firing.contains(alert), "{alert} has no bad data in alerts.test.yml");
            assert!(quiet.contains(alert), "{alert} has no good data in alerts.test.yml");
            assert!(readme.contains(&format!("| `{alert}` |")), "{alert} is not in README.md");
        }
        let known: BTreeSet<&str> = alerts.into_iter().collect();
        let tested: BTreeSet<&str> = firing.union(&quiet).copied().collect();
        assert_eq!(tested, known, "promtool takes an alert that does not exist for a quiet one");
    }

    #[test]
    fn a_test_that_expects_silence_is_no_test_that_the_alert_fires() {
        let text = "\
      - { eval_time: 40m, alertname: Quiet, exp_alerts: [] }
      - eval_time: 40m
        alertname: Firing
        exp_alerts:
          - exp_labels: { severity: critical }
";
        assert_eq!(expected(text), [BTreeSet::from(["Firing"]), BTreeSet::from(["Quiet"])]);
    }
}
