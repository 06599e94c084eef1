#!/bin/sh
# Builds Examples/answers as a package of its own that depends on a version of this one: a repository with a tag, made of the
# files as they are here. The thread sanitizer watches the program, which is left at .build/example/answers.
set -eu
cd "$(dirname "$0")/.."

root=$PWD/.build/example
copy=$root/contexture
rm -rf "$copy"
mkdir -p "$copy"
git ls-files -z --cached --others --exclude-standard --deduplicate -- Package.swift Sources Tools Examples |
  xargs -0 sh -c 'for file; do [ ! -e "$file" ] || printf "%s\\0" "$file"; done' sh |
  tar --create --null --files-from=- | tar --extract --directory "$copy"
git -C "$copy" init --quiet
git -C "$copy" add --all
git -C "$copy" -c user.name=example -c user.email=example commit --quiet --message "As it is here"
# A higher version each time, so that what was built before is brought up to date.
git -C "$copy" tag "0.1.$(date +%s)"
swift package --package-path "$copy/Examples/answers" --scratch-path "$root/build" update > /dev/null
swift build --package-path "$copy/Examples/answers" --scratch-path "$root/build" --sanitize=thread
cp "$root/build/debug/answers" "$root/answers"
