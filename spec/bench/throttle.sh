#!/bin/sh
# The promises of the throttle, judged by nginx's limit_req and by a server that counts.
#
#   sh spec/bench/throttle.sh [quick] [SCENE]
#
# Builds a Release build in build-bench, runs every scene for a minute (quick: four seconds), prints a markdown table,
# which is kept in build-bench/throttle.md, and draws build-bench/throttle.svg. SCENE is one of alone, road, eight,
# killed, redis, fast, failing, peers. The peers come from npm. What is missing here is said in the table: SKIPPED.
set -eu
cd "$(dirname "$0")/../.."
root=$PWD
seconds=60
[ "${1:-}" != quick ] || { seconds=4; shift; }
only=${1:-}

build=$root/build-bench
cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DMOONREST_TESTS=OFF >/dev/null
cmake --build "$build" -j 2 >/dev/null
programs=$build/bench
mkdir -p "$programs"
[ -n "$only" ] || rm -f "$programs"/*.dat
for program in judge delay metronome; do
  cc -std=c11 -O2 -Wall -D_GNU_SOURCE -o "$programs/$program" "spec/bench/$program.c"
done
node=
if [ -d "$programs/node_modules/p-throttle" ] ||
  npm install --silent --no-audit --no-fund --prefix "$programs" bottleneck@2 p-throttle@8 >&2; then
  node=$programs
fi
export NODE_PATH="$programs/node_modules"

XDG_RUNTIME_DIR=$(mktemp -d /dev/shm/moonrest-bench-XXXXXX)
export XDG_RUNTIME_DIR
redis_pid=
finish() {
  [ -z "$redis_pid" ] || kill "$redis_pid" 2>/dev/null || true
  rm -rf "$XDG_RUNTIME_DIR"
}
trap finish EXIT
trap 'exit 130' INT TERM

redis=
if command -v redis-server >/dev/null; then
  port=$(lua5.4 -e 'local s = require "socket".bind("127.0.0.1", 0); print((select(2, s:getsockname())))')
  redis-server --bind 127.0.0.1 --port "$port" --save "" --dir "$XDG_RUNTIME_DIR" >/dev/null &
  redis_pid=$!
  redis=redis://127.0.0.1:$port
fi

export LUA_PATH="$root/lua/?.lua;$root/lua/?/init.lua;$root/?.lua;;" LUA_CPATH="$build/lua/?.so;;"
lua5.4 spec/bench/throttle.lua "programs=$programs" "scripts=$root/spec/bench" "place=$programs" "seconds=$seconds" \
  ${node:+"node=$node"} ${redis:+"redis=$redis"} ${only:+"only=$only"} | tee "$build/throttle.md"
drawn=yes
for name in moonrest p-throttle-strict bottleneck p-throttle; do
  [ -f "$programs/$name.dat" ] || drawn="$name was not judged"
done
command -v gnuplot >/dev/null || drawn="gnuplot is missing"
if [ "$drawn" != yes ]; then
  echo "SKIPPED: the picture: $drawn" >&2
else
  gnuplot -e "place='$programs'; out='$build/throttle.svg'" spec/bench/throttle.gnuplot
  echo "$build/throttle.svg" >&2
fi
