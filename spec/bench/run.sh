#!/bin/sh
# The figures of the README, against curl, lua-cjson and the HTTP clients that people use elsewhere.
#
#   sh spec/bench/run.sh [quick] [SECTION]
#
# Installs what is missing, builds a Release build in build-bench, starts nginx on a free loopback port, runs everything in
# turns, and prints markdown, which is kept in build-bench/figures.md. "quick" shows only that all of it works: the numbers
# are too small to judge by. SECTION is one of small_gets, json, export, pages, start. Takes some minutes, and wants the
# machine for itself.
set -eu
cd "$(dirname "$0")/../.."
root=$PWD
quick=no
[ "${1:-}" != quick ] || { quick=yes; shift; }
only=${1:-}

. spec/support/packages.sh
command -v node >/dev/null || packages_bench="$packages_bench nodejs"
command -v npm >/dev/null || packages_bench="$packages_bench npm"
install_missing $packages_build $packages_bench >&2

# {=========================================================================
# Building
# ==========================================================================

build=$root/build-bench
cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DMOONREST_TESTS=OFF >/dev/null
cmake --build "$build" -j 2 >/dev/null
mkdir -p "$build/bench"
cc -O2 -Wall -D_GNU_SOURCE -o "$build/bench/floor" spec/bench/floor.c $(pkg-config --cflags --libs libcurl)
cc -O2 -Wall -D_GNU_SOURCE -o "$build/bench/launch" spec/bench/launch.c

undici=yes
if [ ! -d "$build/bench/node_modules/undici" ]; then
  npm install --silent --no-audit --no-fund --prefix "$build/bench" undici@6 >&2 || undici=no
fi
[ $undici = yes ] || echo "undici cannot be installed with npm: it is left out." >&2

# }=========================================================================

# {=========================================================================
# What is served, and nginx
# ==========================================================================

gets=20000 rounds=5 starts=40 export_mib=1024
[ $quick = no ] || { gets=2000 rounds=3 starts=5 export_mib=256; }

# Both ends of the big file in memory where there is enough of it, so that no disk is measured.
dir=$(mktemp -d /tmp/moonrest-bench-XXXXXX)
big=$dir
available_mib=$(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)
if [ "$available_mib" -gt $((3 * export_mib)) ] && [ -w /dev/shm ]; then big=$(mktemp -d /dev/shm/moonrest-bench-XXXXXX); fi
nginx_pid=
finish() {
  [ -z "$nginx_pid" ] || kill "$nginx_pid" 2>/dev/null || true
  rm -rf "$dir" "$big"
}
trap finish EXIT
trap 'exit 130' INT TERM

pages=100 items=10000
port=$(lua5.4 -e 'local s = require "socket".bind("127.0.0.1", 0); print((select(2, s:getsockname())))')
url=http://127.0.0.1:$port
lua5.4 spec/bench/programs/make_files.lua "$dir/www" "$url" $pages $items
truncate -s ${export_mib}M "$big/export"
ln -s "$big/export" "$dir/www/export"
chmod -R a+rX "$dir" "$big"
sed -e "s|@DIR@|$dir|g" -e "s|@PORT@|$port|g" spec/bench/nginx.conf.in >"$dir/nginx.conf"

# One at a time, client and server never run at once: one processor. Many at a time: one each.
server_cpu=0 client_cpu=1
[ "$(nproc)" -gt 1 ] || client_cpu=0
taskset -c $server_cpu nginx -c "$dir/nginx.conf" -p "$dir" &
nginx_pid=$!
curl -s -o /dev/null --retry 50 --retry-delay 1 --retry-connrefused "$url/things/1"

# }=========================================================================

machine="$(nproc) processors ($(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)), Linux $(uname -r), \
$(lua5.4 -v | cut -d' ' -f1,2), $(curl -V | cut -d' ' -f1,2 | head -1), $(nginx -v 2>&1 | cut -d' ' -f3)"
[ $quick = no ] || machine="$machine. A quick run: not to be judged by"
export LUA_PATH="$root/lua/?.lua;$root/lua/?/init.lua;$root/?.lua;;" LUA_CPATH="$build/lua/?.so;;"
export NODE_PATH="$build/bench/node_modules"
lua5.4 spec/bench/figures.lua "machine=$machine" "url=$url" "report=$build/figures.md" "floor=$build/bench/floor" \
  "launch=$build/bench/launch" "folder=$root/spec/bench" "programs=$root/spec/bench/programs" "big=$big" \
  rounds=$rounds gets=$gets starts=$starts server_cpu=$server_cpu client_cpu=$client_cpu undici=$undici \
  "object_bytes=$(stat -c %s "$dir/www/things/1")" "page_bytes=$(stat -c %s "$dir/www/pages/2")" pages=$pages items=$items \
  export_bytes=$((export_mib * 1024 * 1024)) ${only:+"only=$only"}
