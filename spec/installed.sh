#!/bin/sh
# Installs a build below itself and uses it as a stranger would: a C program through find_package and one through
# pkg-config, a C++ program, a project that has it in a folder, and require from Lua. `sh spec/installed.sh BUILD`
set -eu
build=$1
source=$(cd "$(dirname "$0")" && pwd)
place="$build/installed"
rm -rf "$place" "$build/stranger"
mkdir -p "$build/stranger"
cmake --install "$build" --prefix "$place" >/dev/null

cat >"$build/stranger/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.25)
project(stranger LANGUAGES C CXX)
find_package(moonrest 0.1 REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(LUA REQUIRED IMPORTED_TARGET lua5.4)
add_executable(stranger ${SOURCE}/unit/lua/host_cpp_test.cpp)
target_compile_options(stranger PRIVATE -Wall -Wextra -Wpedantic -Werror)
target_link_libraries(stranger PRIVATE moonrest::moonrest PkgConfig::LUA)
END
# A sanitized library wants its runtime in whoever links it.
flags=""
if grep -q '^MOONREST_SANITIZE:BOOL=ON' "$build/CMakeCache.txt"; then flags="-fsanitize=address,undefined"; fi
cmake -S "$build/stranger" -B "$build/stranger/build" -DCMAKE_PREFIX_PATH="$place" -DSOURCE="$source" \
  -DCMAKE_EXE_LINKER_FLAGS="$flags" >/dev/null
cmake --build "$build/stranger/build" >/dev/null
"$build/stranger/build/stranger"

pc=$(find "$place" -name moonrest.pc)
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH
cp "$source/unit/lua/host_cpp_test.cpp" "$build/stranger/plain.cpp"
# The host's Lua goes after the library, which calls it.
c++ $flags -o "$build/stranger/plain" "$build/stranger/plain.cpp" $(pkg-config --cflags --libs moonrest) \
  $(pkg-config --cflags --libs lua5.4)
"$build/stranger/plain"

echo '#include <moonrest.h>
int main(void) { return MR_STEP_IDLE; }' >"$build/stranger/header.c"
cc -std=c11 -Wall -Wextra -Wpedantic -Werror $(pkg-config --cflags moonrest) -o "$build/stranger/header" \
  "$build/stranger/header.c"
"$build/stranger/header"

# The headers of ring 1 have common names: they must not stand before those of the system and of the host.
case $(pkg-config --cflags moonrest) in *moonrest/core*) echo "pkg-config offers moonrest's private headers" >&2; exit 1 ;; esac

# Where a distribution puts libraries: the file of pkg-config finds the rest from there. Nothing is built again.
cmake -S "$source/.." -B "$build/stranger/deep" -DMOONREST_TESTS=OFF -DCMAKE_INSTALL_PREFIX=/usr \
  -DCMAKE_INSTALL_LIBDIR=lib/x86_64-linux-gnu >/dev/null
mkdir -p "$build/stranger/usr/lib/x86_64-linux-gnu/pkgconfig"
cp "$build/stranger/deep/moonrest.pc" "$build/stranger/usr/lib/x86_64-linux-gnu/pkgconfig/"
deep() { PKG_CONFIG_PATH="$build/stranger/usr/lib/x86_64-linux-gnu/pkgconfig" pkg-config --variable="$1" moonrest; }
test "$(realpath -m "$(deep libdir)")" = "$(realpath -m "$build/stranger/usr/lib/x86_64-linux-gnu")"
test "$(realpath -m "$(deep includedir)")" = "$(realpath -m "$build/stranger/usr/include/moonrest")"

# Without a package that it needs it is not found, which a project may live with.
mkdir -p "$build/stranger/without" "$build/stranger/packages"
for package in libcurl zlib; do
  ln -sf "$(pkg-config --variable=pcfiledir $package)/$package.pc" "$build/stranger/packages/"
done
echo 'cmake_minimum_required(VERSION 3.25)
project(without LANGUAGES C)
find_package(moonrest QUIET)
if(moonrest_FOUND)
  message(FATAL_ERROR "moonrest was found without what it needs")
endif()
if(NOT moonrest_NOT_FOUND_MESSAGE MATCHES "libcrypto")
  message(FATAL_ERROR "it is not said what is missing: ${moonrest_NOT_FOUND_MESSAGE}")
endif()' >"$build/stranger/without/CMakeLists.txt"
PKG_CONFIG_LIBDIR="$build/stranger/packages" PKG_CONFIG_PATH="" cmake -S "$build/stranger/without" \
  -B "$build/stranger/without/build" -DCMAKE_PREFIX_PATH="$place" >/dev/null

# As a folder of another project.
mkdir -p "$build/stranger/vendor"
echo 'cmake_minimum_required(VERSION 3.25)
project(vendor LANGUAGES C)
add_subdirectory(${SOURCE} moonrest)
get_target_property(includes moonrest_flags INTERFACE_INCLUDE_DIRECTORIES)
if(MOONREST_TESTS OR NOT EXISTS ${includes}/moonrest.h OR NOT TARGET moonrest::moonrest)
  message(FATAL_ERROR "moonrest cannot be a folder of another project")
endif()' >"$build/stranger/vendor/CMakeLists.txt"
cmake -S "$build/stranger/vendor" -B "$build/stranger/vendor/build" -DSOURCE="$source/.." >/dev/null

# The README's program for hosts, with what it leaves out: three frames of it. By its CMake lines, and by its cc line.
snippet() { sed -n "/^\`\`\`$1\$/,/^\`\`\`\$/p" "$source/../README.md" | grep -v '^```'; }
mkdir -p "$build/stranger/game"
{
  snippet c | grep '^#include'
  cat <<'END'
#include <stdlib.h>

static void on_log(void *context, const char *event, const char *line) {
  (void)context;
  (void)event;
  (void)line;
}
static void show(const char *text) { exit(text != NULL); }
static void draw(void) {
  static int frames;
  if (++frames == 3) exit(0);
}

int main(void) {
  lua_State *L = luaL_newstate();
END
  snippet c | grep -v '^#include'
  echo "}"
} >"$build/stranger/game/game.c"
{
  echo 'cmake_minimum_required(VERSION 3.25)
project(game LANGUAGES C)
find_package(PkgConfig REQUIRED)
pkg_check_modules(LUA REQUIRED IMPORTED_TARGET lua5.4)
add_executable(game game.c)'
  snippet cmake
} >"$build/stranger/game/CMakeLists.txt"
cmake -S "$build/stranger/game" -B "$build/stranger/game/build" -DCMAKE_PREFIX_PATH="$place" \
  -DCMAKE_EXE_LINKER_FLAGS="$flags" -DCMAKE_C_FLAGS="-Wall -Wextra -Wpedantic -Werror" >/dev/null
cmake --build "$build/stranger/game/build" >/dev/null
"$build/stranger/game/build/game"
cd "$build/stranger/game"
by_hand=$(sed -n 's/.*`\(cc game\.c [^`]*\)`.*/\1/p' "$source/../README.md")
eval "$by_hand $flags"
./a.out

if [ -n "$flags" ]; then exit 0; fi
cd "$build/stranger"
library=$(find "$place" -name core.so)
LUA_PATH="$place/share/lua/5.4/?.lua;$place/share/lua/5.4/?/init.lua" \
  LUA_CPATH="$(dirname "$(dirname "$library")")/?.so" \
  lua5.4 -e 'assert(require "moonrest".version)'
