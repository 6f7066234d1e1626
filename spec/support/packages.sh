# Debian packages by purpose, and a function that installs those that are missing. Sourced by
# examples/quickstart.sh, spec/run.sh and .ci/run: one list for all three.

packages_build="gcc libc6-dev cmake make pkg-config lua5.4 liblua5.4-dev libcurl4-openssl-dev libssl-dev zlib1g-dev
libbrotli-dev libzstd-dev libmicrohttpd-dev libhiredis-dev lua-cjson ca-certificates"
packages_examples="gnuplot-nox"
packages_test="g++ libcmocka-dev lua-busted lua-socket lua-yaml lua-filesystem lua-luv curl openssl nginx-light redis-server
git locales"
packages_lint="clang clang-format clang-tidy lua-check"
packages_sanitize="libclang-rt-14-dev"
packages_valgrind="valgrind"
packages_game="libsdl2-dev libsdl2-ttf-dev fonts-dejavu-core xvfb xauth"
# The clients that the benchmark compares with; Node too, where it is not there already.
packages_bench="nginx-light redis-server gnuplot-nox curl util-linux lua-socket python3-requests python3-httpx python3-aiohttp"

# install_missing PACKAGE... : says what it does, and does nothing when all are there.
install_missing() {
  missing=""
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
  done
  [ -n "$missing" ] || return 0
  command -v apt-get >/dev/null || {
    echo "These packages are needed and there is no apt-get to install them with:$missing" >&2
    return 1
  }
  # Services that a test starts itself must not be started by their installation: RUNLEVEL says so.
  by_hand="apt-get update && RUNLEVEL=1 apt-get install --no-install-recommends$missing"
  as_root=""
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
      printf 'Packages are missing, and only root may install them. As root:\n\n  %s\n\nThen run this again.\n' "$by_hand" >&2
      return 1
    }
    as_root=sudo
  fi
  echo "Installing with apt-get, which takes a while:$missing"
  $as_root apt-get update -qq &&
    $as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends $missing >/dev/null || {
    printf '\napt-get could not install what is missing: its reasons are above. When they are mended, run this again, or as root:\n\n  %s\n' \
      "$by_hand" >&2
    return 1
  }
}
