#!/bin/sh
# fuzz.sh SECONDS [TARGET…]: runs libFuzzer with the address sanitizer on each target for so long, as many at
# once as there are processors. New inputs are kept in .build/fuzz-corpus, for the next time. An input that is a
# fault is written to .build/fuzz-found, and the exit code is not 0; put it into Fixtures/fuzz once it is mended.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:?seconds for each target}
shift
[ "$seconds" -gt 0 ] || { echo "fuzz.sh: '$seconds' is not a number of seconds above 0" >&2; exit 2; }
targets=${*:-$(sed -n 's/^  case \([a-z]*\)$/\1/p' Tools/FuzzTargets/FuzzTarget.swift)}

export CONTEXTURE_FUZZ=1 SWIFT_BACKTRACE=enable=no
# Not --sanitize: of two such options, the compiler takes the last one, and their order is not fixed.
mkdir -p .build
if ! ${SWIFT:-swift} build -c release --product fuzz --scratch-path .build/fuzz \
  -Xswiftc -sanitize=fuzzer,address -Xcc -fsanitize=address > .build/fuzz-build.log 2>&1
then
  grep -v 'Cannot export local symbol' .build/fuzz-build.log | tail -40 >&2
  exit 1
fi
fuzz=.build/fuzz/release/fuzz
found=.build/fuzz-found
mkdir -p "$found"
# Files that a target reads by their paths; in memory where the system has a file system for that.
memory=/dev/shm
[ -d "$memory" ] && [ -w "$memory" ] || memory=${TMPDIR:-/tmp}
TMPDIR=$(mktemp -d "$memory/contexture-fuzz.XXXXXX")
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT

# One target: a line with its result; its output only if it found something.
cat > .build/fuzz-one.sh <<'ONE'
target=$1 seconds=$2 fuzz=$3 found=$4
corpus=.build/fuzz-corpus/$target
mkdir -p "$corpus"
log=.build/fuzz-$target.log
if CONTEXTURE_FUZZ_TARGET=$target ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1:malloc_context_size=5:quarantine_size_mb=16 "$fuzz" \
  -max_total_time="$seconds" -timeout=20 -rss_limit_mb=3000 -malloc_limit_mb=2000 -len_control=10 \
  -artifact_prefix="$found/$target-" -print_final_stats=1 "$corpus" "Fixtures/fuzz/$target" > "$log" 2>&1
then
  awk -v target="$target" '
    /^stat::number_of_executed_units/ { runs = $2 }
    /^stat::peak_rss_mb/ { peak = $2 }
    / cov: / { for (i = 1; i < NF; i++) if ($i == "cov:") covered = $(i + 1) }
    END { printf "%-14s %9d runs, %6d edges, %5d MB: nothing found\n", target, runs, covered, peak }' "$log"
else
  echo "$target: found a fault" >&2
  tail -60 "$log" | cut -c1-300 >&2
  exit 1
fi
ONE
printf '%s\n' $targets | xargs -P "$(nproc)" -I{} sh .build/fuzz-one.sh {} "$seconds" "$fuzz" "$found"
