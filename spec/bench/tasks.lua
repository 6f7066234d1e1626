-- What tasks cost: lua5.4 spec/bench/tasks.lua [floor], from the source folder, with LUA_PATH and LUA_CPATH as for the
-- specs. 'floor' is spec/bench/floor.c as a program; without it, it is compiled for the occasion.

local core = require "moonrest.core"
local moonrest = require "moonrest"
local slow_server = require "spec.support.slow_server"

local now = core.clock.now

local function row(what, format, ...)
  print(("%-58s %s"):format(what, format:format(...)))
end

local function best_of(count, measure)
  local best = math.huge
  for _ = 1, count do best = math.min(best, measure()) end
  return best
end

local function floor_program()
  if arg[1] then return arg[1], function() end end
  local path = os.tmpname()
  local line = ("cc -O2 -o %s spec/bench/floor.c -lcurl"):format(path)
  assert(os.execute(line), "cannot compile spec/bench/floor.c")
  return path, function() os.remove(path) end
end

local function measure_requests()
  local floor, forget = floor_program()
  local server <close> = slow_server.spawn { latency = 0.02 }
  local ids = {}
  for index = 1, 1000 do ids[index] = index end
  local raw = best_of(5, function()
    local pipe <close> = assert(io.popen(("%s %s/things/1 1000 64"):format(floor, server.url)))
    return pipe:read "n" * 1000 / 1e6
  end)
  local ours = best_of(5, function()
    local begin = now()
    local _, failures = moonrest.map(ids, function(id) return server.client.things:get(id) end, { concurrency = 64 })
    assert(not failures, "a request failed")
    return now() - begin
  end)
  row("1,000 requests of 20 ms at 64: raw libcurl", "%.1f ms", raw * 1e3)
  row("1,000 requests of 20 ms at 64: moonrest.map, decoded", "%.1f ms   %.3f times (at most 1.15)", ours * 1e3,
    ours / raw)
  forget()
end

local function measure_pages()
  local server <close> = slow_server.spawn { latency = 0.02, pages = 100 }
  local function walk(ahead)
    local begin, count = now(), 0
    for _ in server.client.items:each({ limit = 100 }, { prefetch = ahead }) do count = count + 1 end
    assert(count == 10000, "items are missing")
    return now() - begin
  end
  local plain = best_of(2, function() return walk(nil) end)
  row("100 pages of 100 items, 20 ms: one by one", "%.0f ms", plain * 1e3)
  for _, ahead in ipairs { 2, 8, 16 } do
    local took = best_of(3, function() return walk(ahead) end)
    row(("100 pages of 100 items, 20 ms: prefetch = %d"):format(ahead), "%.0f ms   %.1f times faster%s", took * 1e3,
      plain / took, ahead == 8 and " (at least 6)" or "")
  end
end

local function kib_of(count, make)
  collectgarbage()
  collectgarbage()
  local before = collectgarbage "count"
  local keep = make(count)
  collectgarbage()
  return (collectgarbage "count" - before) / count, keep -- alive until here
end

local function measure_memory()
  local count = 100000
  local bare = kib_of(count, function()
    local list = {}
    for index = 1, count do
      list[index] = coroutine.create(function() coroutine.yield() end)
      coroutine.resume(list[index])
    end
    return list
  end)
  local tasks = kib_of(count, function()
    for _ = 1, count do moonrest.spawn(function() moonrest.sleep(3600) end) end
    return moonrest.step(math.huge)
  end)
  row("100,000 suspended coroutines, bare", "%.2f KiB each", bare)
  row("100,000 waiting tasks", "%.2f KiB each, %.2f beyond the coroutine (at most 1)", tasks, tasks - bare)
end

local function measure_switches()
  local count, rounds = 1000, 100
  local begin = now()
  moonrest.map(setmetatable({}, { __call = function(self)
    self[1] = (self[1] or 0) + 1
    return self[1] <= count * rounds and self[1] or nil
  end }), function() return true end)
  row("100,000 items through map, nothing to wait for", "%.2f us each", (now() - begin) / (count * rounds) * 1e6)
end

measure_requests()
measure_pages()
measure_switches()
measure_memory()
os.exit(true, false) -- 100,000 sleepers need no closing
