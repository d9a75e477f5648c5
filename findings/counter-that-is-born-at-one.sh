#!/usr/bin/env bash
# What most would guess: increase(errors_total[5m]) > 0 fires as soon as the counter has counted.
# What really happens: a counter that is first seen at 1, since nothing had exposed it at 0 before, has not increased:
#   the alert stays silent for the first event, and for the only one.
# Version: promtool 2.42 (Debian prometheus).
# Source: Prometheus documentation, "Best practices, Instrumentation: Avoid missing metrics"; functions.go: increase
#   needs two samples and takes the first as given.
# Who is hurt: those whose alert is for what must never happen, and whose counter has labels or comes from a process
#   that starts with the event.
set -euo pipefail

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# expect WHAT EXPECTED SEEN: prints what was seen, and fails if that is not what this script is about.
expect() {
    echo "$1: $3"
    [ "$2" = "$3" ] || { echo "this has changed, it was: $2"; exit 1; }
}

cd "$scratch"
promtool --version 2>&1 | head -1
cat >rules.yml <<'YML'
groups:
  - name: rents
    rules:
      - alert: Wrong
        expr: increase(wrong_total[5m]) > 0
YML
# fires SERIES: whether the alert fires within five minutes after the first event, by promtool's own judgement.
fires() {
    cat >test.yml <<YML
rule_files: [rules.yml]
evaluation_interval: 15s
tests:
  - interval: 15s
    input_series: [{series: wrong_total, values: '$1'}]
    alert_rule_test:
      - {eval_time: 2m, alertname: Wrong, exp_alerts: []}
      - {eval_time: 4m, alertname: Wrong, exp_alerts: []}
YML
    if promtool test rules test.yml >said.log 2>&1; then echo no; else echo yes; fi
}
expect 'does it fire for a counter that goes from 0 to 1' yes "$(fires '0 0 0 0 1+0x20')"
expect 'does it fire for one that is first seen at 1' no "$(fires '_ _ _ _ 1+0x20')"
