-- Runs several programs in turns, and gathers what each whole process cost.
--
-- A contestant is { name =, command =, cpu =, times =, before =, after = }: a shell command without redirections, the
-- processor that it is bound to, how often it runs in a round (1), and functions called around each round. Programs of
-- one contest take turns within a round; each round begins with another one.

local contest = {}

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end
contest.quote = quote

-- The words of a command as one shell text.
function contest.command(...)
  local words = {}
  for index = 1, select("#", ...) do words[index] = quote(tostring((select(index, ...)))) end
  return table.concat(words, " ")
end

local function lines_of(text)
  local lines = {}
  for line in text:gmatch "[^\n]+" do lines[#lines + 1] = line end
  return lines
end

-- Appends to 'result' what 'times' runs cost; the rest of the output goes into result.output.
local function read(result, text, times, name)
  local others, count = {}, 0
  for _, line in ipairs(lines_of(text)) do
    local wall_us, cpu_us, peak_kib = line:match "^([%d.]+) ([%d.]+) (%d+)$"
    if wall_us then
      count = count + 1
      table.insert(result.wall_us, tonumber(wall_us))
      table.insert(result.cpu_us, tonumber(cpu_us))
      table.insert(result.peak_kib, tonumber(peak_kib))
    else
      others[#others + 1] = line
    end
  end
  if count ~= times then error(("%s: not %d figures in %q"):format(name, times, text), 0) end
  table.insert(result.output, table.concat(others, "\n"))
end

local function run_once(contestant, settings, result)
  local times = contestant.times or 1
  if contestant.before then contestant.before() end
  local pipe = assert(io.popen(("taskset -c %d %s %d %s"):format(contestant.cpu, quote(settings.launch), times,
    contestant.command)))
  local text = pipe:read "a"
  local ok = pipe:close()
  if contestant.after then contestant.after() end
  if not ok then error(("%s failed: %s"):format(contestant.name, contestant.command), 0) end
  read(result, text, times, contestant.name)
end

-- Returns by name { wall_us, cpu_us, peak_kib, output }: lists with an entry for each run. 'settings' are
-- { launch = path of the launcher, rounds = }.
function contest.run(contestants, settings)
  local results = {}
  for _, contestant in ipairs(contestants) do
    results[contestant.name] = { wall_us = {}, cpu_us = {}, peak_kib = {}, output = {} }
  end
  for round = 1, settings.rounds do
    for turn = 1, #contestants do
      local contestant = contestants[(turn + round - 2) % #contestants + 1]
      io.stderr:write(("round %d of %d: %s\n"):format(round, settings.rounds, contestant.name))
      run_once(contestant, settings, results[contestant.name])
    end
  end
  return results
end

return contest
