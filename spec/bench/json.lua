-- moonrest.json against lua-cjson, in one process and with the collector on:
--   LUA_PATH="lua/?.lua;;" LUA_CPATH="build/lua/?.so;;" lua5.4 spec/bench/json.lua
-- The two take turns, so that each pays for as much of the other's garbage as of its own. The
-- figures are processor time, medians of the rounds; the ratio is lua-cjson's time over ours.

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

local function strings(count)
  local list = {}
  for i = 1, count do list[i] = ("a string number %d with é and \"quotes\""):format(i) end
  return list
end

-- Microseconds of processor time for one call.
local function time(work, argument, times)
  local began = os.clock()
  for _ = 1, times do work(argument) end
  return (os.clock() - began) / times * 1e6
end

local function median(values)
  table.sort(values)
  return values[(#values + 1) // 2]
end

local function compare(theirs, ours, argument, times)
  local their_times, our_times = {}, {}
  for round = 1, rounds do
    if round % 2 == 0 then our_times[round] = time(ours, argument, times) end
    their_times[round] = time(theirs, argument, times)
    if round % 2 == 1 then our_times[round] = time(ours, argument, times) end
  end
  return median(their_times), median(our_times)
end

local function report(name, bytes, their_us, our_us, target)
  local ratio = their_us / our_us
  local verdict = not target and "" or ratio >= target and ("at least %.1f: yes"):format(target)
    or ("at least %.1f: NO"):format(target)
  print(("%-26s %8d KB  %7.1f MB/s  %7.1f MB/s  %5.2f  %s"):format(
    name, bytes // 1000, bytes / their_us, bytes / our_us, ratio, verdict))
end

local function measure(name, value, times, decode_target, encode_target)
  local text = json.encode(value)
  local their_us, our_us = compare(cjson.decode, json.decode, text, times)
  report("decode " .. name, #text, their_us, our_us, decode_target)
  their_us, our_us = compare(cjson.encode, json.encode, value, times)
  report("encode " .. name, #text, their_us, our_us, encode_target)
end

print(("%-26s %11s  %12s  %12s  %5s  %s"):format("", "size", "lua-cjson", "moonrest", "ratio", "target"))
measure("a small object", { id = 1, name = "abc", ports = { 1, 2, 3 }, url = "https://api.example.com/v1/x" }, 50000)
measure("a page", list_of(page_bytes), 500, 1.5, 1.5)
measure("numbers", numbers(5000), 200)
measure("strings", strings(1000), 200)
measure("a long list", list_of(list_bytes), 2, 1.2, 1.5)
