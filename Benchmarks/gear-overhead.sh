#!/bin/sh
# Two ranks of one thread each on this machine against one process with two threads: tokens/s of the same steps
# with recorded parents' answers, run in turn. The last line is the ratio of the medians.
set -eu
cd "$(dirname "$0")/.."

contexture=${CONTEXTURE:-.build/release/contexture}
steps=${STEPS:-5}
batch=${BATCH:-16}
settings="--set training.validateEvery=0 --set training.batchSize=$batch --set training.maxSteps=$steps --set tasks.perceive.maxSteps=$steps
  --set tasks.predict.maxSteps=$steps --set tasks.route.maxSteps=$steps"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$contexture" cluster profile --ranks 2 --workers 1 --out "$work/two.yaml" > /dev/null
for turn in 1 2; do
  # shellcheck disable=SC2086
  "$contexture" train Examples/iov.yaml --out "$work/one-$turn" $settings > /dev/null
  # shellcheck disable=SC2086
  "$contexture" train Examples/iov.yaml --cluster "$work/two.yaml" --out "$work/two-$turn" $settings > /dev/null
done
record=Benchmarks/records/$(date -u +%Y-%m-%d)-gear-overhead.jsonl
mkdir -p Benchmarks/records
python3 - "$work" "$batch" >> "$record" <<'PYTHON'
import json, pathlib, statistics, sys
work = pathlib.Path(sys.argv[1])
rates = {}
for kind in ("one", "two"):
    rates[kind] = []
    for turn in (1, 2):
        rows = [json.loads(line) for line in (work / f"{kind}-{turn}" / "metrics.jsonl").read_text().splitlines()]
        rates[kind] += [row["tokens"] / row["seconds"] for row in rows if row["step"] > 1]
one, two = (statistics.median(rates[kind]) for kind in ("one", "two"))
plan = json.loads((work / "two-1" / "plan.json").read_text())
replicas = [len(phase["plan"]["pipelines"]) for phase in plan["phases"]]
print(json.dumps({"batch": int(sys.argv[2]), "replicas": replicas, "oneProcessTokensPerSecond": one, "twoRanksTokensPerSecond": two, "ratio": two / one,
                  "steps": len(rates["one"])}))
PYTHON
tail -n 1 "$record"
