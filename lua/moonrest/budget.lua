-- How a step's budget is divided between the sorts of work: the network, tasks that are ready, and answers that are
-- decoded. A sort begins only when it will probably be through in time, by what it took of late. All times are seconds.

local core = require "moonrest.core"
local decoding = require "moonrest.decoding"

local budget = {}

local now = core.clock.now

-- What probably fits takes a bit more now and then, and to enter and leave a step is not free: nothing of it is in the
-- processor's caches when it begins. With so much around it 99 steps of 100 took up to 0.17 ms for a budget of 0.15 ms.
local aimed_share <const>, around <const> = 0.95, 7e-5

-- What of a budget a step aims at.
function budget.aim(seconds)
  return math.max(math.min(seconds * aimed_share, seconds - around), seconds / 2)
end

local cold <const> = 5e-5   -- what the first work of a sort takes beside others, at least
local slight <const> = 2e-5 -- a sort that finds less to do than that has not had the step

-- What a task's turn takes at most, of late: the first of several, for which nothing is in the processor's caches yet,
-- and each of the others.
local first_run, other_run = 0, 0

-- What is longer than a step's turn was probably interrupted, and does not fit into any.
local function most_of_late(took, before, turn) return math.max(math.min(took, turn), before * 0.95) end

-- A task's turn took so long.
function budget.note_run(is_first, took, turn)
  if is_first then
    first_run = most_of_late(took, first_run, turn)
  else
    other_run = most_of_late(took, other_run, turn)
  end
end

function budget.fits_first_run(time, until_time) return time + first_run <= until_time end

function budget.fits_next_run(time, until_time) return time + other_run <= until_time end

-- Of the tasks it is known what one takes; of the others, by how much they were late. By so much earlier they are asked
-- to end.
local function note_least(sort, late, turn)
  if sort.has_runs then
    sort.least = first_run
  else
    sort.least = most_of_late(late, sort.least, turn)
    sort.late = math.min(sort.least, turn / 2)
  end
end

-- Takes a function for each sort, called with when it is to end, the time, and the turn that all share; it returns
-- whether it found anything. Returns the one that has them work in a round, one after the other, until 'turn_end' at
-- most: where it ends for want of time the next round begins, so that a small budget is no one's disadvantage. That one
-- returns whether there is more to do. In the first round of a step something is done however short the time is.
function budget.divide(run_network, run_tasks, run_slices)
  -- What each may take of a turn, also while answers wait to be decoded: to bring more of them makes little sense then.
  local sorts <const> = {
    { run = run_network, share = 0.4, share_beside = 0.2, least = 0, late = 0 },
    { run = run_tasks, share = 1, share_beside = 0.35, least = 0, late = 0, has_runs = true },
    { run = run_slices, share = 1, share_beside = 1, least = 0, late = 0 },
  }
  local next_sort = 1
  return function(time, turn_end, turn, is_first)
    local busy = false
    for _ = 1, #sorts do
      local sort = sorts[next_sort]
      if not is_first and time + math.max(sort.least, sort.late + cold) > turn_end then return false end
      local share = decoding.any() and sort.share_beside or sort.share
      local until_time = math.max(time, math.min(turn_end - sort.late, time + turn * share))
      local begin = time
      local found = sort.run(until_time, time, turn)
      time = now()
      note_least(sort, time - until_time, turn)
      busy, is_first = busy or found, is_first and not found and time - begin < slight
      next_sort = next_sort % #sorts + 1
    end
    return busy
  end
end

return budget
