#!/bin/sh
# Trains a few steps of the example workflow over an emulated cluster, once by every schedule, and compares them:
# with each other, and with what the planner predicted.
#
#   sudo Benchmarks/gear-real.sh [CLUSTER.yaml]     # default: Benchmarks/gear-cluster.yaml
#
# The model must be fetched and data/iov made ('make quickstart' does both). Lines of JSON go to
# Benchmarks/records/DATE-gear-real.jsonl, a table to standard output.
set -eu
cd "$(dirname "$0")/.."

contexture=${CONTEXTURE:-.build/release/contexture}
steps=${STEPS:-8}
schedules=${SCHEDULES:-contextgear replicas pipedream uniform gpipe memory single}
batch=${BATCH:-4}
settings="--set training.parentAnswers=predicted --set training.batchSize=$batch --set training.checkpointEvery=1000
  --set training.validateEvery=0
  --set training.maxSteps=$steps --set tasks.perceive.maxSteps=1 --set tasks.predict.maxSteps=1
  --set tasks.route.maxSteps=$steps"

if [ "${1:-}" != --inside ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  "$contexture" cluster emulate "${1:-Benchmarks/gear-cluster.yaml}" -- "$0" --inside "$work" '{hosts}'
  record=Benchmarks/records/$(date -u +%Y-%m-%d)-gear-real.jsonl
  mkdir -p Benchmarks/records
  python3 Benchmarks/gear_summary.py "$work" "$record"
  exit 0
fi

work=$2
"$contexture" cluster profile --hosts "$3" --out "$work/cluster.yaml" --workers 1 --seconds 2
for schedule in $schedules; do
  plan=$work/$schedule.json
  case $schedule in
    contextgear) baseline=--one-pipeline ;;
    replicas) baseline="" ;;
    *) baseline="--baseline $schedule" ;;
  esac
  # shellcheck disable=SC2086
  "$contexture" plan Examples/iov.yaml --cluster "$work/cluster.yaml" $settings $baseline --out "$plan" \
    --gantt "$work/$schedule.svg" > "$work/$schedule.txt"
  # shellcheck disable=SC2086
  "$contexture" train Examples/iov.yaml --cluster "$work/cluster.yaml" --plan "$plan" --out "$work/$schedule" \
    $settings
done
