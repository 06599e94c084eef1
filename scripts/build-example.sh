#!/bin/sh
# Builds Examples/answers as a package of its own that depends on a version of this one: a clone of what is committed, with a
# tag. The thread sanitizer watches it. The program is left at .build/example/answers.
set -eu
cd "$(dirname "$0")/.."

root=$PWD/.build/example
clone=$root/contexture
mkdir -p "$root"
rm -rf "$clone"
git clone --quiet --shared . "$clone"
# What is not committed yet is built too.
git ls-files --modified --others --exclude-standard --deduplicate -- Package.swift Sources Examples | while read -r file; do
  if [ -e "$file" ]; then
    mkdir -p "$clone/$(dirname "$file")"
    cp "$file" "$clone/$file"
  fi
done
git ls-files --deleted -- Package.swift Sources Examples | while read -r file; do rm -f "$clone/$file"; done
git -C "$clone" add --all
git -C "$clone" -c user.name=example -c user.email=example commit --quiet --allow-empty --message "As it is here"
# A higher version each time, so that what was built before is brought up to date.
git -C "$clone" tag "0.1.$(date +%s)"
swift package --package-path "$clone/Examples/answers" --scratch-path "$root/build" update > /dev/null
swift build --package-path "$clone/Examples/answers" --scratch-path "$root/build" --sanitize=thread
cp "$root/build/debug/answers" "$root/answers"
