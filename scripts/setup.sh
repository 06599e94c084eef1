#!/bin/sh
# Installs the Debian packages that the build needs and that are not there yet.
#
#   scripts/setup.sh             oneDNN, Open MPI, SQLite, pkg-config, iproute2, and pip where python3 lacks it
#   scripts/setup.sh aarch64     also the C headers for 'make kernels-aarch64'
set -eu

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

command -v swift >/dev/null 2>&1 || fail "swift is not in PATH; install Swift 6.3 or later"
command -v python3 >/dev/null 2>&1 || fail "python3 is not in PATH; install Python 3"

installed() { dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }

wanted="libdnnl-dev openmpi-bin libopenmpi-dev libsqlite3-dev pkg-config iproute2"
python3 -m pip --version >/dev/null 2>&1 || wanted="$wanted python3-pip"
[ "${1:-}" != aarch64 ] || wanted="$wanted libc6-dev-arm64-cross"

command -v dpkg-query >/dev/null 2>&1 || fail "this is not a Debian system; install by hand: $wanted"

missing=""
for package in $wanted; do
  installed "$package" || missing="$missing $package"
done
if [ -z "$missing" ]; then
  say "$wanted: all there"
  exit 0
fi

as_root=""
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null 2>&1 || fail "needs root to install$missing; become root or install sudo"
  as_root=sudo
fi
say "installing$missing"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# The package lists may be old or absent; try with what is there first.
# shellcheck disable=SC2086
if ! $as_root apt-get install -y --no-install-recommends $missing >"$log" 2>&1; then
  $as_root apt-get update >"$log" 2>&1 || { cat "$log" >&2; fail "apt-get update failed"; }
  $as_root apt-get install -y --no-install-recommends $missing >"$log" 2>&1 || {
    cat "$log" >&2
    fail "apt-get install failed for$missing"
  }
fi
say "installed$missing"
