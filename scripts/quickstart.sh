#!/bin/sh
# Makes data, trains the example workflow, evaluates it, and answers one episode of the test data.
#
#   scripts/quickstart.sh        as 'make quickstart' calls it, after the build
#
# Data goes to data/iov, the run to runs/quickstart. What is there already is used, so that a second call
# goes on where the first one stopped.
set -eu
cd "$(dirname "$0")/.."

contexture=${CONTEXTURE:-.build/release/contexture}
data=data/iov
run=runs/quickstart
[ -x "$contexture" ] || { echo "quickstart: $contexture is not there; run 'make build'" >&2; exit 1; }

step() { printf '\n$ contexture %s\n' "$*"; "$contexture" "$@"; }

if [ -f "$data/test.jsonl" ]; then
  printf '\nquickstart: using the data in %s\n' "$data"
else
  step data make iov --episodes 1500 --seed 7 --out "$data"
fi

if [ -d "$run" ]; then
  step train Examples/iov.yaml --out "$run" --resume
else
  step train Examples/iov.yaml --out "$run"
fi

step evaluate "$run" --limit 100 --shortcuts

# The first episode of the test data, which training has not seen.
episode=$(mktemp)
trap 'rm -f "$episode"' EXIT
head -n 1 "$data/test.jsonl" > "$episode"
step run "$run" --episode "$episode"
