-- Lua programs of the specs: a process of its own each, from a file that is gone when it has ended. What stands before
-- and behind "lua5.4 FILE" in the shell's line is the caller's.
--
--   program.output("print(arg[1])", "timeout 20", "x 2>&1")    -- "x\n"
--   program.status("os.exit(7, true)", "", "")                 -- "exit 7", as os.execute tells it

local program = {}

-- The name of a file that holds the code, to be removed by the caller.
function program.write(code)
  local name = os.tmpname()
  local file <close> = assert(io.open(name, "w"))
  assert(file:write(code))
  return name
end

local function line(before, name, behind) return ("%s lua5.4 %s %s"):format(before, name, behind) end

function program.output(code, before, behind)
  local name = program.write(code)
  local pipe <close> = assert(io.popen(line(before, name, behind)))
  local said = pipe:read "a"
  os.remove(name)
  return said
end

function program.status(code, before, behind)
  local name = program.write(code)
  local _, how, status = os.execute(line(before, name, behind))
  os.remove(name)
  return how .. " " .. status
end

return program
