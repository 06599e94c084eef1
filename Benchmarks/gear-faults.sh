#!/bin/sh
# What a fault costs. First the seconds from a rank's SIGKILL or SIGSTOP until the job has ended. Then, with a job
# that goes on by itself (--elastic), the seconds from a SIGKILL until the first new step, and the steps that are done
# again, against the steps between checkpoints. The lines of JSON go to Benchmarks/records/DATE-gear-faults.jsonl.
#
#   Benchmarks/gear-faults.sh [PROJECT]
#
# PROJECT is a folder with a workflow.yaml; by default Examples/iov.yaml with a few generated episodes and the
# fetched model.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
contexture=${CONTEXTURE:-$root/.build/release/contexture}
intervals=${INTERVALS:-"2 5 10 20"}
repeats=${REPEATS:-1}
record=$root/Benchmarks/records/$(date -u +%Y-%m-%d)-gear-faults.jsonl
work=$(mktemp -d)
job=
trap 'if [ -n "$job" ]; then kill -9 "$job" 2>/dev/null || :; fi; rm -rf "$work"' EXIT

if [ $# -gt 0 ]; then
  project=$(cd "$1" && pwd)
  workflow=workflow.yaml
  settings=${SETTINGS:-}
else
  project=$root
  workflow=Examples/iov.yaml
  "$contexture" data make iov --out "$work/data" --episodes 200 > /dev/null
  settings=${SETTINGS:-"--set training.validateEvery=0 --set data=$work/data --set training.batchSize=2"}
fi
{
  echo "devices:"
  for name in d0 d1 d2; do
    echo "  - {name: $name, host: localhost, workers: 1, memory: 4000000000, described: {peak: 5.0e+10, overhead: 0}}"
  done
  echo "networks: [{name: bus, latency: 1.0e-5, bandwidth: 1.0e+9}]"
} > "$work/cluster.yaml"
mkdir -p "$(dirname "$record")"

now() { date +%s.%N; }
steps() { if [ -e "$1" ]; then wc -l < "$1"; else echo 0; fi; }

# The processes of rank 1 of the job.
ranks() {
  for process in $(grep -lz "^CONTEXTURE_FAULTS=$work\$" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3); do
    if grep -qzx 'OMPI_COMM_WORLD_RANK=1' "/proc/$process/environ" 2>/dev/null; then echo "$process"; fi
  done
}

start() { # RUN OPTION...
  run=$1
  shift
  # shellcheck disable=SC2086
  (cd "$project" && exec env CONTEXTURE_FAULTS="$work" "$contexture" train "$workflow" --out "$run" \
    --cluster "$work/cluster.yaml" "$@" $settings) > "$work/log" 2>&1 &
  job=$!
}

wait_for_steps() {
  until [ "$(steps "$run/metrics.jsonl")" -ge "$1" ]; do
    kill -0 "$job" || { cat "$work/log" >&2; exit 1; }
    sleep 0.01
  done
}

printf '%10s %14s\n' signal 'until the end'
for signal in KILL STOP; do
  for repeat in $(seq "$repeats"); do
    start "$work/end-$signal-$repeat" --set training.checkpointEvery=1000
    wait_for_steps 3
    for process in $(ranks); do kill "-$signal" "$process"; done
    killed=$(now)
    wait "$job" || :
    job=
    seconds=$(echo "$(now) - $killed" | bc)
    printf '%10s %14.2f\n' "$signal" "$seconds"
    tail -n 1 "$work/log"
    printf '{"benchmark":"gear-faults","workflow":"%s","ranks":3,"signal":"%s","secondsToEnd":%.3f,' \
      "$workflow" "$signal" "$seconds" >> "$record"
    printf '"processors":%d,"when":"%s"}\n' "$(nproc)" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" >> "$record"
  done
done

printf '%10s %8s %14s %12s %12s\n' checkpoint killed 'until new step' 'steps again' 'step (s)'
for interval in $intervals; do
  for repeat in $(seq "$repeats"); do
    run=$work/run-$interval-$repeat
    # After the first checkpoint, two thirds of the way to the second one.
    at=$((interval + interval * 2 / 3 + 1))
    start "$run" --elastic --set training.checkpointEvery="$interval"
    wait_for_steps "$at"
    for process in $(ranks); do kill -9 "$process"; done
    killed=$(now)
    # Steps that were on their way are still written.
    until grep -q 'Resuming after step\|continuing over' "$work/log"; do sleep 0.005; done
    reached=$(steps "$run/metrics.jsonl")
    until grep -q 'Resuming after step' "$work/log"; do sleep 0.005; done
    from=$(sed -n 's/^Resuming after step //p' "$work/log" | tail -1)
    until [ "$(steps "$run/metrics.jsonl")" -gt "$from" ]; do
      kill -0 "$job" || { cat "$work/log" >&2; exit 1; }
      sleep 0.005
    done
    seconds=$(echo "$(now) - $killed" | bc)
    # Twice is at once.
    kill -TERM "$job" && sleep 0.2 && kill -TERM "$job" || :
    wait "$job" || :
    job=
    step=$(tail -n 10 "$run/metrics.jsonl" | sed 's/.*"seconds":\([0-9.e-]*\).*/\1/' \
      | awk '{ sum += $1 } END { printf "%.4f", sum / NR }')
    printf '%10d %8d %14.2f %12d %12s\n' "$interval" "$reached" "$seconds" $((reached - from)) "$step"
    printf '{"benchmark":"gear-faults","workflow":"%s","ranks":3,"checkpointEvery":%d,"stepsDone":%d,' \
      "$workflow" "$interval" "$reached" >> "$record"
    printf '"stepsAgain":%d,"secondsToNewStep":%.3f,"secondsPerStep":%s,"processors":%d,"when":"%s"}\n' \
      $((reached - from)) "$seconds" "$step" "$(nproc)" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" >> "$record"
    rm -rf "$run"
  done
done
echo "added to $record" >&2
