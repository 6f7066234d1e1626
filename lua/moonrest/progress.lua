-- Progress of a long transfer: the option progress = true writes a line on stderr that is renewed in place;
-- progress = function(received, expected) gets the bytes so far, and nil where the size is not known.

local progress = {}

local units = { "B", "KiB", "MiB", "GiB", "TiB" }

-- 1536 -> "1.5 KiB"
function progress.size(bytes)
  local unit = 1
  while bytes >= 1024 and unit < #units do
    bytes, unit = bytes / 1024, unit + 1
  end
  return (unit == 1 and "%d %s" or "%.1f %s"):format(bytes, units[unit])
end

local function line(received, expected)
  if not expected or expected == 0 then return progress.size(received) end
  return ("%s of %s, %d%%"):format(progress.size(received), progress.size(expected), received * 100 // expected)
end

-- The function that waits call between slices; nil when no progress is wanted.
function progress.watch(label, wanted)
  if not wanted then return nil end
  if type(wanted) == "function" then
    return function(request)
      local received, expected = request:progress()
      wanted(received, expected)
    end
  end
  return function(request)
    local received, expected = request:progress()
    io.stderr:write("\r", label, ": ", line(received, expected), "   ", request:finished() and "\n" or "")
  end
end

return progress
