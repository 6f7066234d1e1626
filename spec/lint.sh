#!/bin/sh
# What machines can say about style: clang-format, both compilers' warnings (as errors), clang-tidy, luacheck, and the
# functions that this project does not use. The clang build gives the compile commands.
set -eu
cd "$(dirname "$0")/.."

sources=$(git ls-files '*.c' '*.h')
clang-format --dry-run --Werror $sources

banned='\b(sprintf|vsprintf|strcpy|strcat|strtok|gmtime|localtime|atoi|atol|atof|gets|mktime|asctime|ctime)\s*\('
if git grep -nE "$banned" -- 'csrc/*.c' 'csrc/*.h'; then
  echo "These C functions are not used here: unbounded, of the locale, or of shared state." >&2
  exit 1
fi

cmake --preset clang >/dev/null
cmake --build --preset clang
clang-tidy --quiet -p build-clang $(git ls-files 'csrc/*.c')
luacheck --quiet lua spec examples
echo "lint: nothing to mend"
