-- lua5.4 compile.lua OUT ROOT FILE...: Lua files below ROOT, compiled, as a C table; see loading.h. With another Lua
-- than 5.4 the table stays empty, and the library compiles its sources whenever it is loaded.
--
-- The names of local variables and upvalues are left out: to make those strings took two thirds of the time of loading
-- a chunk, and a third of its memory. Messages and tracebacks keep their files and lines.

local out, root = arg[1], arg[2]

-- "Lua 5.4.4  Copyright ...", which stands in that Lua's lua_ident too. No variable of Lua's tells the release.
local function release()
  local pipe <close> = assert(io.popen(("'%s' -v"):format(arg[-1])))
  return assert(pipe:read "l")
end

local name_at <const> = 33 -- behind the header and the number of upvalues

local function mix(hash, word)
  hash = (hash ~ word) * 0x9E3779B97F4A7C15
  return hash ~ (hash >> 32)
end

local lanes <const> = 4

-- What is_source computes in loading.c.
local function hash_of(text)
  local words, hashes, hash = text .. ("\0"):rep(-#text % (8 * lanes)), {}, 0
  for lane = 1, lanes do
    hashes[lane] = 0
    for position = 8 * lane - 7, #words, 8 * lanes do
      hashes[lane] = mix(hashes[lane], (string.unpack("<i8", words, position)))
    end
    hash = mix(hash, hashes[lane])
  end
  return hash ~ #text
end

-- {========================================================================
-- Leaving out names: functions of (chunk, position) that return the position behind what they are named after
-- =========================================================================

-- Seven bits a byte, the last byte marked.
local function after_number(chunk, position)
  local number = 0
  repeat
    local byte = chunk:byte(position)
    number, position = number << 7 | byte & 0x7f, position + 1
  until byte >= 0x80
  return position, number
end

local function after_string(chunk, position)
  local behind, size = after_number(chunk, position)
  return behind + math.max(size - 1, 0)
end

-- A list: its length, then so many times what 'after_one' knows, or so many bytes for each.
local function after_list(chunk, position, after_one)
  local count
  position, count = after_number(chunk, position)
  if math.type(after_one) then return position + count * after_one end
  for _ = 1, count do position = after_one(chunk, position) end
  return position
end

local constant_sizes <const> = { [0x00] = 0, [0x01] = 0, [0x11] = 0, [0x03] = 8, [0x13] = 8 } -- nil, booleans, numbers

local function after_constant(chunk, position)
  local size = constant_sizes[chunk:byte(position)]
  return size and position + 1 + size or after_string(chunk, position + 1)
end

local function after_line(chunk, position)
  return (after_number(chunk, (after_number(chunk, position))))
end

local function after_local(chunk, position)
  return after_line(chunk, after_string(chunk, position))
end

local no_names <const> = "\x80\x80" -- two empty lists

-- Appends to 'pieces' the function at 'position', and those in it, without names; returns the position behind it.
local function add_function(pieces, chunk, position)
  local behind = after_line(chunk, after_string(chunk, position)) + 3 -- name, lines, and three bytes about the stack
  behind = after_list(chunk, behind, 4) -- instructions
  behind = after_list(chunk, behind, after_constant)
  behind = after_list(chunk, behind, 3) -- upvalues
  local inner, count = after_number(chunk, behind)
  pieces[#pieces + 1] = chunk:sub(position, inner - 1)
  for _ = 1, count do inner = add_function(pieces, chunk, inner) end
  local names = after_list(chunk, after_list(chunk, inner, 1), after_line) -- behind the lines of the instructions
  pieces[#pieces + 1] = chunk:sub(inner, names - 1) .. no_names
  return after_list(chunk, after_list(chunk, names, after_local), after_string)
end

local function without_names(chunk)
  local pieces = { chunk:sub(1, name_at - 1) }
  assert(add_function(pieces, chunk, name_at) == #chunk + 1, "the layout of compiled chunks is another one")
  return table.concat(pieces)
end

-- }========================================================================

-- The compiled text without its name, which the loader puts in.
local function compile(text)
  local chunk = without_names(string.dump(assert(load(text, "=?", "t"))))
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

-- What programs with a client load. The others stand apart (loading.h).
local loaded_first <const> = { "moonrest.open", "moonrest.patience", "moonrest.definition_check" }

-- Adds the array that has the module, and those that its text requires first of all.
local function place(places, texts, name, array)
  if not texts[name] or places[name] then return end
  places[name] = array
  for needed in texts[name]:gmatch '\nlocal [%w_]+ = require "([%w_.]+)"' do place(places, texts, needed, array) end
end

local texts, names = {}, {}
for index = 3, _VERSION == "Lua 5.4" and #arg or 0 do
  local name = arg[index]:sub(#root + 2):gsub("%.lua$", ""):gsub("/", ".")
  names[#names + 1], texts[name] = name, read(arg[index])
end

local places = {}
for _, name in ipairs(loaded_first) do place(places, texts, name, "first") end

local arrays, sizes, rows = { first = {}, apart = {} }, { first = 0, apart = 0 }, {}
for index, name in ipairs(names) do
  local chunk, array = compile(texts[name]), places[name] or "apart"
  table.insert(arrays[array], bytes_of(chunk))
  rows[index] = ('    {"%s", UINT64_C(0x%x), %s + %d, %d},\n'):format(name, hash_of(texts[name]), array, sizes[array],
    #chunk)
  sizes[array] = sizes[array] + #chunk
end

local function array_of(name, attribute)
  return ("static const unsigned char %s[]%s = {\n%s0};\n\n"):format(name, attribute, table.concat(arrays[name], "\n"))
end

local file <close> = assert(io.open(out, "w"))
assert(file:write('/* Made by compile.lua. */\n#include "lua/loading.h"\n\n', array_of("first", ""),
  array_of("apart", " MR_APART"), "static const struct mr_compiled modules[] = {\n", table.concat(rows),
  "    {NULL, 0, NULL, 0},\n};\n",
  ("\nconst struct mr_compiled_set mr_compiled_set = {%q, modules};\n"):format(release())))
