#!/bin/sh
# From a fresh Debian 12 to a script that manages all five systems: installs what is missing, builds, and runs
# examples/quickstart.lua, which starts the sandbox on a free loopback port. No account, nothing leaves this machine.
set -eu
cd "$(dirname "$0")/.."

. spec/support/packages.sh
install_missing $packages_build

if ! [ -f build/Makefile ]; then
  echo "Building, which takes half a minute"
  cmake --preset default -DMOONREST_TESTS=OFF >/dev/null
fi
cmake --build --preset default --target moonrest_modules >build/quickstart.log 2>&1 || {
  cat build/quickstart.log >&2
  exit 1
}

LUA_PATH="$PWD/lua/?.lua;$PWD/lua/?/init.lua;;"
LUA_CPATH="$PWD/build/lua/?.so;;"
export LUA_PATH LUA_CPATH
lua5.4 examples/quickstart.lua "$@"

cat <<END

Next: examples/ has scripts to copy. To look around by hand, start this, and say moonrest.help():

  LUA_PATH="$LUA_PATH" LUA_CPATH="$LUA_CPATH" \\
    lua5.4 -i -e 'moonrest, sandbox = require "moonrest", require "moonrest.sandbox"'
END
