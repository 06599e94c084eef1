#!/bin/sh
# The example workflow trained from several seeds in both number formats, each run measured on 100 test episodes.
#
#   Benchmarks/recipe.sh                          seeds 0 to 4, about 10 minutes a run on two cores
#   SEEDS="0 1" FORMATS=bfloat16 Benchmarks/recipe.sh
#   RUNS=/data/recipe Benchmarks/recipe.sh        where the runs are or go: RUNS/FORMAT-SEED and RUNS/FORMAT-SEED.json
#   SUMMARY=only Benchmarks/recipe.sh             nothing is trained; the tables of what is there already
#   WORKFLOW=my.yaml TASKS="predict decide" RECORD=Benchmarks/records/2026-11-28 Benchmarks/recipe.sh
#
# Called again, it keeps finished runs and resumes interrupted ones. The tables go to standard output and to
# RECORD-recipe.md, the curves to RECORD-learning-curves.svg.
set -eu
cd "$(dirname "$0")/.."

contexture=${CONTEXTURE:-.build/release/contexture}
runs=${RUNS:-runs/recipe}
seeds=${SEEDS:-0 1 2 3 4}
formats=${FORMATS:-float32 bfloat16}
workflow=${WORKFLOW:-Examples/iov.yaml}
record=${RECORD:-Benchmarks/records/$(date -u +%Y-%m-%d)}
mkdir -p "$runs"

if [ "${SUMMARY:-}" != only ]; then
  for seed in $seeds; do
    for format in $formats; do
      run=$runs/$format-$seed
      if [ ! -e "$run/adapter.safetensors" ]; then
        resume=
        if [ -e "$run/checkpoint.safetensors" ]; then resume=--resume; fi
        "$contexture" train "$workflow" --out "$run" $resume --set "training.seed=$seed" \
          --set "training.precision=$format" >> "$run.log" 2>&1 || {
          status=$?
          echo "recipe: training of $run ended with $status; see $run.log" >&2
          exit "$status"
        }
      fi
      # An evaluation made before the end of the training does not count.
      if [ ! -s "$run.json" ] || [ "$run.json" -ot "$run/adapter.safetensors" ]; then
        "$contexture" evaluate "$run" --limit 100 --format json > "$run.json.part" 2>> "$run.log" || {
          status=$?
          echo "recipe: evaluation of $run ended with $status; see $run.log" >&2
          exit "$status"
        }
        mv "$run.json.part" "$run.json"
      fi
    done
  done
fi

# The finished runs, together and by format.
set --
curves=
for format in $formats; do
  finished=
  for seed in $seeds; do
    run=$runs/$format-$seed
    if [ -s "$run.json" ] && [ -e "$run/adapter.safetensors" ]; then
      set -- "$@" "$run"
      finished="$finished $run"
    else
      echo "recipe: $run is not finished and not counted" >&2
    fi
  done
  if [ -n "$finished" ]; then curves="$curves --group $format$finished"; fi
done
if [ $# -eq 0 ]; then
  echo "recipe: there is no finished run in $runs" >&2
  exit 2
fi
table=$(mktemp)
trap 'rm -f "$table"' EXIT
python3 Benchmarks/recipe_summary.py "$@" > "$table"
# shellcheck disable=SC2086
python3 Benchmarks/learning-curves.py --tasks ${TASKS:-predict decide} --svg "$record-learning-curves.svg" $curves \
  >> "$table"
cp "$table" "$record-recipe.md"
cat "$table"
echo "recipe: written to $record-recipe.md and $record-learning-curves.svg" >&2
