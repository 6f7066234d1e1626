-- moonrest.json against lua-cjson, in one process and with the collector on:
--   LUA_PATH="lua/?.lua;;" LUA_CPATH="build/lua/?.so;;" lua5.4 spec/bench/json.lua
-- The two take turns. A turn of decoding ends with a full collection that counts: each pays for all
-- of its own garbage and for none of the other's. The figures are processor time, medians of the
-- rounds; the ratio is lua-cjson's time over ours.

local cjson = require "cjson"
local json = require "moonrest.json"

local rounds <const> = 7
local page_bytes <const>, list_bytes <const> = 25000, 10 * 1000 * 1000

-- One element of a list as a management API sends it.
local function deployment(i)
  return {
    id = i,
    request_id = ("%08x"):format(i * 2654435761 % 2 ^ 32 // 1 | 0),
    name = "game-server-" .. i,
    status = i % 3 == 0 and "Status.READY" or "Status.DEPLOYING",
    ready = i % 3 == 0,
    created_at = ("2024-05-%02dT12:%02d:00Z"):format(i % 28 + 1, i % 60),
    fqdn = ("d%x.pr.example.net"):format(i),
    cost = i * 123 / 10000,
    latitude = 45.5017 + i % 90 / 100,
    longitude = -73.5673,
    tags = { "europe", "v" .. i % 7 },
    ports = { game = { external = 30000 + i % 1000, internal = 7777, protocol = "UDP" } },
  }
end

local function list_of(bytes)
  local list, size = {}, 0
  while size < bytes do
    list[#list + 1] = deployment(#list + 1)
    size = size + #cjson.encode(list[#list]) + 1
  end
  return { data = list, total_count = #list, pagination = { number = 1, has_next = false } }
end

local function numbers(count)
  local list = {}
  for i = 1, count do list[i] = i % 2 == 0 and i * 7919 or math.sin(i) * 1000 end
  return list
end

local function strings(count, pattern)
  local list = {}
  for i = 1, count do list[i] = pattern:format(i) end
  return list
end

local function run(work, argument, times)
  for _ = 1, times do work(argument) end
end

local function run_and_collect(work, argument, times)
  run(work, argument, times)
  collectgarbage()
end

local function median(values)
  table.sort(values)
  return values[(#values + 1) // 2]
end

-- Microseconds of processor time for one call of each.
local function compare(turn, theirs, ours, argument, times)
  local took = { [theirs] = {}, [ours] = {} }
  for round = 1, rounds do
    for _, work in ipairs(round % 2 == 0 and { theirs, ours } or { ours, theirs }) do
      collectgarbage()
      local began = os.clock()
      turn(work, argument, times)
      took[work][round] = (os.clock() - began) / times * 1e6
    end
  end
  return median(took[theirs]), median(took[ours])
end

local function report(name, bytes, their_us, our_us, target)
  local ratio = their_us / our_us
  local verdict = not target and "" or ratio >= target and ("at least %.1f: yes"):format(target)
    or ("at least %.1f: NO"):format(target)
  print(("%-30s %8d KB  %7.1f MB/s  %7.1f MB/s  %5.2f  %s"):format(
    name, bytes // 1000, bytes / their_us, bytes / our_us, ratio, verdict))
end

local function measure(name, value, times, decode_target, encode_target)
  local text = json.encode(value)
  local their_us, our_us = compare(run_and_collect, cjson.decode, json.decode, text, times)
  report("decode " .. name, #text, their_us, our_us, decode_target)
  their_us, our_us = compare(run, cjson.encode, json.encode, value, times)
  report("encode " .. name, #text, their_us, our_us, encode_target)
end

print(("%-30s %11s  %12s  %12s  %5s  %s"):format("", "size", "lua-cjson", "moonrest", "ratio", "target"))
measure("a small object", { id = 1, name = "abc", ports = { 1, 2, 3 }, url = "https://api.example.com/v1/x" }, 50000)
measure("a page", list_of(page_bytes), 500, 1.5, 1.5)
measure("numbers", numbers(5000), 200)
measure("short strings, escapes", strings(1000, 'string %d with é and "quotes"'), 200)
measure("strings", strings(1000, "string %d, which is longer than what Lua interns, as descriptions are"), 200)
measure("a long list", list_of(list_bytes), 1, 1.2, 1.5)
