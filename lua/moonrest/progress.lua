-- Progress of a long transfer: the option progress = true writes a line on stderr that is renewed in place;
-- progress = function(received, expected, sent, to_send) gets the bytes of the answer so far and in all (nil where that
-- is not known), and of the file that is uploaded (0 and 0 where none is).

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

local function share(bytes, all)
  if not all or all == 0 then return progress.size(bytes) end
  return ("%s of %s, %d%%"):format(progress.size(bytes), progress.size(all), bytes * 100 // all)
end

-- The answer comes when the upload has gone.
local function line(received, expected, sent, to_send)
  return to_send > 0 and received == 0 and "sent " .. share(sent, to_send) or share(received, expected)
end

-- The function that waits call between slices; nil when no progress is wanted.
function progress.watch(label, wanted)
  if not wanted then return nil end
  if type(wanted) == "function" then
    return function(request) wanted(request:progress()) end
  end
  return function(request)
    io.stderr:write("\r", label, ": ", line(request:progress()), "   ", request:finished() and "\n" or "")
  end
end

return progress
