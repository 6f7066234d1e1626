-- lua5.4 compile.lua OUT ROOT FILE...: Lua files below ROOT, compiled, as a C table; see loading.h. With another Lua
-- than 5.4 the table stays empty, and the library compiles its sources whenever it is loaded.

local out, root = arg[1], arg[2]

-- "Lua 5.4.4  Copyright ...", which stands in that Lua's lua_ident too. No variable of Lua's tells the release.
local function release()
  local pipe <close> = assert(io.popen(("'%s' -v"):format(arg[-1])))
  return assert(pipe:read "l")
end

local name_at <const> = 33 -- behind the header and the number of upvalues

-- What hash_of computes in loading.c.
local function hash_of(text)
  local words, hash = text .. ("\0"):rep(-#text % 8), 0
  for position = 1, #words, 8 do
    hash = (hash ~ string.unpack("<i8", words, position)) * 0x9E3779B97F4A7C15
    hash = hash ~ (hash >> 32)
  end
  return hash ~ #text
end

-- The compiled text without its name, which the loader puts in.
local function compile(text)
  local chunk = string.dump(assert(load(text, "=?", "t")))
  assert(chunk:sub(name_at, name_at + 2) == "\x83=?", "the layout of compiled chunks is another one")
  return chunk:sub(1, name_at - 1) .. chunk:sub(name_at + 3)
end

local function bytes_of(text)
  local lines = {}
  for position = 1, #text, 24 do
    lines[#lines + 1] = text:sub(position, position + 23):gsub(".", function(byte) return byte:byte() .. "," end)
  end
  return table.concat(lines, "\n")
end

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

local arrays, rows = {}, {}
for index = 3, _VERSION == "Lua 5.4" and #arg or 0 do
  local text = read(arg[index])
  local name = arg[index]:sub(#root + 2):gsub("%.lua$", ""):gsub("/", ".")
  local number = index - 3
  arrays[#arrays + 1] = ("static const unsigned char chunk_%d[] = {\n%s\n};\n"):format(number, bytes_of(compile(text)))
  rows[#rows + 1] = ('    {"%s", UINT64_C(0x%x), chunk_%d, sizeof chunk_%d},\n'):format(name, hash_of(text), number,
    number)
end

local file <close> = assert(io.open(out, "w"))
assert(file:write('/* Made by compile.lua. */\n#include "lua/loading.h"\n\n', table.concat(arrays),
  "\nstatic const struct mr_compiled modules[] = {\n", table.concat(rows), "    {NULL, 0, NULL, 0},\n};\n",
  ("\nconst struct mr_compiled_set mr_compiled_set = {%q, modules};\n"):format(release())))
