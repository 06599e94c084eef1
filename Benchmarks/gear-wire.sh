#!/bin/sh
# What each wire format does to losses and bytes: the same steps over two ranks of this machine, cut in the middle.
set -eu
cd "$(dirname "$0")/.."

contexture=${CONTEXTURE:-.build/release/contexture}
steps=${STEPS:-10}
settings="--set training.validateEvery=0 --set training.batchSize=8 --set training.maxSteps=$steps --set tasks.perceive.maxSteps=$steps
  --set tasks.predict.maxSteps=1 --set tasks.decide.maxSteps=1 --set tasks.route.maxSteps=1"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$contexture" cluster profile --ranks 2 --workers 1 --out "$work/two.yaml" > /dev/null
# shellcheck disable=SC2086
"$contexture" plan Examples/iov.yaml --cluster "$work/two.yaml" --baseline uniform --out "$work/plan.json" \
  $settings > /dev/null
for wire in float32 bfloat16 int8; do
  # shellcheck disable=SC2086
  "$contexture" train Examples/iov.yaml --cluster "$work/two.yaml" --plan "$work/plan.json" --wire $wire \
    --out "$work/$wire" $settings > /dev/null
done
record=Benchmarks/records/$(date -u +%Y-%m-%d)-gear-wire.jsonl
mkdir -p Benchmarks/records
python3 - "$work" <<'PYTHON' | tee -a "$record"
import json, pathlib, sys
work = pathlib.Path(sys.argv[1])
def lines(path): return [json.loads(line) for line in path.read_text().splitlines()]
def losses(wire): return [row["loss"] for row in lines(work / wire / "metrics.jsonl") if row["task"] == "perceive"]
exact = losses("float32")
for wire in ("float32", "bfloat16", "int8"):
    own = losses(wire)
    sent = sum(row["measuredBytes"] for row in lines(work / wire / "figures.jsonl") if row["task"] == "perceive")
    print(json.dumps({"wire": wire, "steps": len(own), "bytesPerStep": sent, "lastLoss": own[-1],
                      "largestLossDifference": max(abs(a / b - 1) for a, b in zip(own, exact))}))
PYTHON
