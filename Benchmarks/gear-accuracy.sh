#!/bin/sh
# Predicted against measured on the smallest case: the base model's first four layers over two devices, which are two
# ranks of one thread on this machine. Once as one pipeline, and once with what the planner likes best; with
# recorded and with predicted parents' answers. gear-real.sh has the whole model over unequal devices.
#
# The model must be fetched and data/iov made ('make quickstart' does both). Lines of JSON go to
# Benchmarks/records/DATE-gear-accuracy.jsonl, a table to standard output. PRECISION=float32 computes in that.
set -eu
cd "$(dirname "$0")/.."

contexture=${CONTEXTURE:-.build/release/contexture}
steps=${STEPS:-40}
precision=${PRECISION:-auto}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 Benchmarks/cut_model.py models/smollm2-135m/model.gguf 4 "$work/four.gguf"
"$contexture" cluster profile --ranks 2 --workers 1 --precision "$precision" --model "$work/four.gguf" --seconds 1.5 \
  --out "$work/two.yaml"
for answers in gold predicted; do
  for pipelines in one any; do
    name=$answers-$pipelines
    settings="--set model=$work/four.gguf --set training.parentAnswers=$answers --set training.maxSteps=$steps
      --set tasks.perceive.maxSteps=$steps --set tasks.predict.maxSteps=$steps --set tasks.route.maxSteps=$steps
      --set training.checkpointEvery=1000 --set training.validateEvery=0 --set training.batchSize=8 --set training.precision=$precision"
    flag=""
    [ "$pipelines" = any ] || flag=--one-pipeline
    # shellcheck disable=SC2086
    "$contexture" plan Examples/iov.yaml --cluster "$work/two.yaml" $settings $flag --out "$work/$name.json" \
      > "$work/$name.txt"
    # shellcheck disable=SC2086
    "$contexture" train Examples/iov.yaml --cluster "$work/two.yaml" --plan "$work/$name.json" --out "$work/$name" \
      $settings > /dev/null
  done
done
mkdir -p Benchmarks/records
python3 Benchmarks/gear_summary.py "$work" "Benchmarks/records/$(date -u +%Y-%m-%d)-gear-accuracy.jsonl" \
  gold-one gold-any predicted-one predicted-any
