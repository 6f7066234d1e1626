-- Errors of tasks that nobody awaited. Such a task may still be awaited, so it is told of only when that cannot happen
-- any more (the task is forgotten, the state is closed) or when a run ends; and once.

local events = require "moonrest.events"

local unheard = {}

local kept = setmetatable({}, { __mode = "k" })

-- What an error says, whatever it is: its own __tostring may fail.
function unheard.text(problem)
  local is_good, text = pcall(tostring, problem)
  return is_good and text or "an error object whose __tostring fails"
end

local function tell(note)
  if note.is_told then return end
  note.is_told = true
  if events.is_heard "task_failed" then
    events.emit("task_failed", { error = note.problem, traceback = note.traceback, task = note.number })
  else
    io.stderr:write("moonrest: a task failed and nobody awaited it: ", unheard.text(note.problem), "\n",
      note.traceback, "\n")
  end
end

local Note = { __name = "moonrest.unheard", __gc = tell }

-- Keeps the error of a task until it is heard. The note lives as long as the task.
function unheard.keep(task, problem, traceback)
  local note = setmetatable({ problem = problem, traceback = traceback, number = task.number }, Note)
  task.unheard = note
  kept[note] = true
end

-- Somebody has got the error.
function unheard.forget(task)
  if task.unheard then task.unheard.is_told, task.unheard = true, nil end
end

-- Tells of all that is kept, in the order of the tasks.
function unheard.report()
  local notes = {}
  for note in pairs(kept) do notes[#notes + 1] = note end
  table.sort(notes, function(a, b) return a.number < b.number end)
  for _, note in ipairs(notes) do tell(note) end
  kept = setmetatable({}, { __mode = "k" })
end

return unheard
