#!/usr/bin/env bash
# `npm start` as a person uses it: on an empty data directory and a free port, ready, through a volume's life by curl, and ended by
# SIGTERM: exit 0 within 15 s, with nothing left behind.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

work=$(mktemp -d)
# In the environment of `npm start` alone: whoever has it was started by it.
mark="VBS_START_RUN=$$-$RANDOM$RANDOM"
pid=

finish() {
  local code=$? other
  if [ "$code" != 0 ] && [ -f "$work/log" ]; then
    printf 'npm start printed:\n'
    cat "$work/log"
  fi
  while read -r other _; do kill -KILL "$other" 2>/dev/null || true; done < <(scripts/ci/leftovers.sh "$mark")
  rm -rf "$work"
  exit "$code"
}
trap finish EXIT

fail() {
  printf 'start: %s\n' "$1" >&2
  exit 1
}

call() {
  local body
  if body=$(curl --silent --show-error --fail-with-body --max-time 60 --header 'content-type: application/json' "$@"); then
    printf '%s' "$body"
  else
    printf '%s\n' "$body" >&2
    return 1
  fi
}
# A call that failed has told what was wrong by itself: no word of a document that is not there.
field() { node -e 'process.stdout.write(String(JSON.parse(require("node:fs").readFileSync(0, "utf8"))[process.argv[1]]))' "$1" 2>/dev/null; }
expect() { [ "$2" = "$3" ] || fail "$1 is $2, and should be $3"; }

port=$(node -e 'const s = require("node:net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })')
url=http://127.0.0.1:$port
env "$mark" npm start -- --port "$port" --data-dir "$work/data" >"$work/log" 2>&1 </dev/null &
pid=$!

for ((tries = 0; ; tries += 1)); do
  if curl --silent --fail --max-time 5 --output /dev/null "$url/readyz"; then break; fi
  kill -0 "$pid" 2>/dev/null || fail 'it ended before it was ready'
  [ "$tries" -lt 600 ] || fail 'it was not ready within two minutes'
  sleep 0.2
done
printf 'ready at %s\n' "$url"

volume=$(call "$url/v1/volumes" --data '{"size": "64MiB", "comment": "by .ci/run"}' | field id)
expect "the state of $volume" "$(call "$url/v1/volumes/$volume" | field state)" available
attachment=$(call "$url/v1/volumes/$volume/attachments" --data '{"vmmHost": "sandbox", "vmId": "vm1", "device": "xvdb"}' | field state)
expect 'the attachment' "$attachment" attached
expect "the state of $volume" "$(call "$url/v1/volumes/$volume" | field state)" in-use
expect 'the detached attachment' "$(call --request POST "$url/v1/volumes/$volume/detach" --data '{}' | field state)" detached
snapshot=$(call "$url/v1/snapshots" --data "{\"volumeId\": \"$volume\"}" | field id)
copy=$(call --header 'Prefer: wait=30' "$url/v1/volumes" --data "{\"size\": \"64MiB\", \"snapshotId\": \"$snapshot\"}" | field id)
expect "the state of $copy" "$(call "$url/v1/volumes/$copy" | field state)" available
for path in "volumes/$copy" "snapshots/$snapshot" "volumes/$volume"; do
  expect "DELETE $path" "$(call --request DELETE --output /dev/null --write-out '%{http_code}' "$url/v1/$path")" 204
done
expect 'a volume that is gone' "$(curl --silent --max-time 60 --output /dev/null --write-out '%{http_code}' "$url/v1/volumes/$volume")" 404
printf 'a volume and its snapshot lived and went\n'

# One that is attached when the server ends: the hardest to leave nothing of.
volume=$(call "$url/v1/volumes" --data '{"size": "1MiB"}' | field id)
call --output /dev/null "$url/v1/volumes/$volume/attachments" --data '{"vmmHost": "sandbox", "vmId": "vm2", "device": "xvdb"}'

asked=$SECONDS
kill -TERM "$pid"
code=0
timeout 15 tail --pid="$pid" -f /dev/null || fail 'it did not end within 15 s after SIGTERM'
wait "$pid" || code=$?
pid=
expect 'the exit code' "$code" 0
printf 'ended %d s after SIGTERM\n' "$((SECONDS - asked))"

left=$(scripts/ci/leftovers.sh "$mark")
[ -z "$left" ] || fail "left running: $left"
[ ! -S "$work/data/vbs.sock" ] || fail 'its socket is left'
if curl --silent --max-time 5 --output /dev/null "$url/healthz"; then fail 'something still listens on its port'; fi
printf 'nothing is left\n'
