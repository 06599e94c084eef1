#!/bin/sh
# The training step in numbers: ours, and PEFT's beside it where .venv has it (see peer/requirements.txt), both
# in the number format that this processor does fast.
# The lines of JSON go to standard output and to Benchmarks/records/DATE-training.jsonl.
set -eu
cd "$(dirname "$0")/.."

parity=${PARITY:-.build/release/parity}
model=models/smollm2-135m/model.gguf
steps=${STEPS:-20}
record=Benchmarks/records/$(date -u +%Y-%m-%d)-training.jsonl
lines=$(mktemp)
trap 'rm -f "$lines"' EXIT

"$parity" throughput --model "$model" --batch 8 --length 128 --rank 16 --steps "$steps" --warmup 3 >> "$lines"
precision=$(sed -n 's/.*"precision":"\([a-z0-9]*\)".*/\1/p' "$lines")
if [ -x .venv/bin/python ] && .venv/bin/python -c 'import peft' 2>/dev/null; then
  # Settings that favour the peer; peer/peft_lora.py says why.
  MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=8589934592 MALLOC_TOP_PAD_=268435456 \
    .venv/bin/python Benchmarks/peer/peft_lora.py --model "$model" --precision "$precision" --batch 8 \
    --length 128 --rank 16 --steps "$steps" --warmup 3 >> "$lines"
else
  echo "benchmark: PEFT is not installed in .venv, so it is not measured" >&2
fi
mkdir -p Benchmarks/records
cat "$lines" >> "$record"
cat "$lines"
echo "benchmark: added to $record" >&2
