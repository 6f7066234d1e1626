# cmake -DROOT=lua -DFILES="a.lua;b.lua" -DOUT=file.c -P embed.cmake: Lua files, by their path below ROOT, as a table
# of C arrays. The chunk names begin with "@[moonrest]/", so that caller.lua can tell them from the host's.
cmake_minimum_required(VERSION 3.25)

set(names "")
foreach(file IN LISTS FILES)
  file(RELATIVE_PATH path ${ROOT} ${file})
  string(REGEX REPLACE "(/init)?\\.lua$" "" name ${path})
  string(REPLACE "/" "." name ${name})
  list(APPEND names "${name} ${path} ${file}") # a space sorts before what names are made of
endforeach()
list(SORT names)

set(arrays "")
set(rows "")
set(number 0)
foreach(entry IN LISTS names)
  string(REGEX MATCH "^([^ ]+) moonrest/([^ ]+) (.*)$" matched ${entry})
  set(name ${CMAKE_MATCH_1})
  set(path ${CMAKE_MATCH_2})
  file(READ ${CMAKE_MATCH_3} bytes HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
  string(APPEND arrays "static const unsigned char text_${number}[] = {${bytes}0};\n")
  string(APPEND rows "    {\"${name}\", \"@[moonrest]/${path}\", text_${number}, sizeof text_${number} - 1},\n")
  math(EXPR number "${number} + 1")
endforeach()

file(WRITE ${OUT}.new "/* Made by embed.cmake. */\n#include \"lua/embedded.h\"\n\n${arrays}
const struct mr_embedded mr_embedded[] = {\n${rows}};\nconst size_t mr_embedded_count = ${number};\n")
file(COPY_FILE ${OUT}.new ${OUT} ONLY_IF_DIFFERENT)
file(REMOVE ${OUT}.new)
