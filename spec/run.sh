#!/bin/sh
# Installs what is missing, builds, and runs every test. `sh spec/run.sh [build preset]`; the presets are
# those of CMakePresets.json: default, sanitize, clang.
set -eu
cd "$(dirname "$0")/.."
preset=${1:-default}

. spec/support/packages.sh
install_missing $packages_build $packages_examples $packages_test

cmake --preset "$preset" >/dev/null
cmake --build --preset "$preset"
build=build
[ "$preset" = default ] || build="build-$preset"
exec ctest --test-dir "$build" --output-on-failure
