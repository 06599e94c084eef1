#!/bin/sh
# The planner against every baseline, and without parts of itself, on described Jetson clusters of two to four
# modules over Wi-Fi 5 and 6, 5G and Ethernet. Tables go to Benchmarks/records/.
set -eu
cd "$(dirname "$0")/.."

contexture=${CONTEXTURE:-.build/release/contexture}
mkdir -p Benchmarks/records
for experiment in gear-scaling gear-ablation; do
  record=Benchmarks/records/$(date -u +%Y-%m-%d)-$experiment.txt
  "$contexture" simulate Examples/iov.yaml --experiment $experiment > "$record"
  tail -n 12 "$record"
done
