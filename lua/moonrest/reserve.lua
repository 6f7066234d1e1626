-- Memory that is set aside for the loop. A task that fails is ended by a few calls, and each may need memory for its
-- place on the stack; when tasks hold all there is, they would never end for want of that. Lua has the memory back as
-- soon as nothing refers to it: 'held = false' is how to give it up, for a call may be too much at that moment.

local reserve = { held = false } -- a chain of blocks; the first knows how many are missing

local blocks <const> = 8
local places <const> = 64 -- of 16 bytes, in each
local depth <const> = 12  -- calls of a turn, down to what a task of its own resumes or closes

local wide <const> = ("."):rep(100) -- values that all calls of a turn have on the stack

local function stretch(left)
  if left > 0 then return (stretch(left - 1)) end
  return select("#", wide:byte(1, #wide))
end

local function add_block()
  local held = reserve.held
  local block = { below = held, missing = (held and held.missing or blocks) - 1 }
  for place = 1, places do block[place] = false end
  reserve.held = block
end

local function fill()
  stretch(depth)
  while not reserve.held or reserve.held.missing > 0 do add_block() end
end

-- A C function that finds no memory for its stack says that it overflows.
local function is_want_of_memory(problem)
  return problem == "not enough memory" or type(problem) == "string" and problem:find("stack overflow", 1, true) ~= nil
end

-- Has the stack grow to what a turn needs, and sets aside what is missing, or as much of it as there is memory for.
function reserve.fill()
  local held = reserve.held
  if held and held.missing == 0 then return end
  local is_good, problem = pcall(fill)
  if not is_good and not is_want_of_memory(problem) then error(problem, 0) end -- Ctrl-C's
end

return reserve
