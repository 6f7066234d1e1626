-- The two examples for games: the server browser plays scripted sessions, under Xvfb where that is installed and
-- without any screen otherwise, and the relay serves it. The program is only there when it was built with
-- MOONREST_GAME.

local moonrest = require "moonrest"

local program = (package.cpath:match "([^;]*)/lua/%?%.so" or "build") .. "/examples/game/game"
local most_step_ms <const> = 8        -- of processor time, for any step
local most_usual_step_ms <const> = 25 -- by the clock, for 99 of 100: less than a call of the sandbox takes

local function is_built()
  local file = io.open(program, "rb")
  if file then file:close() end
  return file ~= nil
end

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

local no_screen <const> = "SDL_VIDEODRIVER=dummy SDL_RENDER_DRIVER=software"
local virtual_screen <const> = "xvfb-run -a -s '-screen 0 1280x720x24'"

-- Under the sanitizers without: the libraries behind an X11 window leak.
local has_xvfb = not os.getenv "MOONREST_SANITIZED" and os.execute "command -v xvfb-run >/dev/null" == true

-- Returns what it printed, and whether it ended well. A sanitizer's runtime is in the program itself; xvfb-run's
-- programs are not to be watched.
local function play(arguments, screen)
  local command = ("env -u LD_PRELOAD %s %s %s 2>&1"):format(screen or no_screen, quote(program), arguments)
  local pipe = assert(io.popen(command))
  local text = pipe:read "a"
  return text, pipe:close() == true
end

-- How often each colour (0xRRGGBB) occurs in a BMP of 24 bits.
local function count_colors(path)
  local file <close> = assert(io.open(path, "rb"))
  local bytes = file:read "a"
  local start, width, height = string.unpack("<I4", bytes, 11), string.unpack("<i4i4", bytes, 19)
  local row_size, counts = (width * 3 + 3) // 4 * 4, {}
  for row = 0, math.abs(height) - 1 do
    for place = start + row * row_size + 1, start + row * row_size + width * 3, 3 do
      local color = string.unpack("<I3", bytes, place)
      counts[color] = (counts[color] or 0) + 1
    end
  end
  return counts, width, height
end

local function start_relay()
  local pipe = assert(io.popen(("echo $$; LUA_PATH=%s LUA_CPATH=%s exec lua5.4 examples/relay/relay.lua --sandbox")
    :format(quote(package.path), quote(package.cpath))))
  local relay = { pid = assert(pipe:read "n", "the relay did not start"), pipe = pipe }
  pipe:read "l"
  relay.url = assert(assert(pipe:read "l", "the relay did not start"):match "http://%S+")
  return setmetatable(relay, { __close = function()
    os.execute(("kill %d"):format(relay.pid))
    pipe:close()
  end })
end

describe("the game example", function()
  local screenshot

  before_each(function() screenshot = os.tmpname() end)
  after_each(function() os.remove(screenshot) end)

  local function needs_program()
    if not is_built() then print("SKIPPED: " .. program .. " is not built (MOONREST_GAME)") end
    return is_built()
  end

  it("plays a session without holding up a frame, and leaves a picture of it", function()
    if not needs_program() then return end
    local text, ended_well = play("--frames 300 --screenshot " .. screenshot, has_xvfb and virtual_screen)
    print(text)
    assert.is_true(ended_well, text)
    assert.matches("session over", text)
    local worst = tonumber(text:match "processor time p99 [%d.]+ ms, worst ([%d.]+) ms")
    assert.is_true(worst < most_step_ms, text)
    assert.is_true(tonumber(text:match "step p50 [%d.]+ ms, p99 ([%d.]+) ms") < most_usual_step_ms, text)

    local counts, width, height = count_colors(screenshot)
    assert.same({ 1280, 720 }, { width, math.abs(height) })
    local seen = {}
    local wanted = { blue = 0x58A6FF, violet = 0xC58AF9, green = 0x5CE0A0, amber = 0xF0B050, red = 0xF06A6A }
    for name, color in pairs(wanted) do seen[name] = (counts[color] or 0) > 100 end
    assert.same({ blue = true, violet = true, green = true, amber = true, red = true }, seen)
  end)

  it("says what is wrong with its arguments", function()
    if not needs_program() then return end
    local text, ended_well = play "--nonsense"
    assert.is_false(ended_well)
    assert.matches("^Usage", text)
  end)

  it("plays through a relay", function()
    if not needs_program() then return end
    local relay <close> = start_relay()
    local text, ended_well = play(("--relay %s --frames 100 --screenshot %s"):format(relay.url, screenshot))
    assert.is_true(ended_well, text)
    assert.is_true((count_colors(screenshot)[0x5CE0A0] or 0) > 50)
  end)

  it("tells of a relay that is not there, and goes on drawing", function()
    if not needs_program() then return end
    local text, ended_well = play("--relay http://127.0.0.1:1 --frames 20 --screenshot " .. screenshot)
    assert.is_false(ended_well) -- the session cannot come to its end
    assert.matches("frames 160, session unfinished", text)
  end)
end)

describe("the relay example", function()
  it("finds players a server, and tells them nothing of the account", function()
    local relay <close> = start_relay()
    local servers = moonrest.open({
      name = "relay", servers = { production = relay.url }, auth = false,
      resources = { servers = {
        list = { "GET /servers", "Lists servers.", query = { page = "integer", limit = "integer" } },
        join = { "POST /join", "Joins one." },
        stop = { "DELETE /v1/stop/{id}", "What a player must not do." },
      } },
    }).servers
    local function join_until_ready()
      for _ = 1, 200 do
        local server = assert(servers:join())
        if server.state == "ready" then return server end
        assert.equal("starting", server.state)
        moonrest.sleep(0.1)
      end
      error "no server became ready"
    end
    local first, second = join_until_ready(), join_until_ready()
    assert.equal(first.id, second.id)
    local third, response = assert(servers:join())
    assert.same({ 202, "starting" }, { response.status, third.state }) -- both seats of the first are taken
    assert.equal(1, #assert(servers:list({ limit = 8 })).items)
    local stopped, err = servers:stop(first.id)
    assert.is_nil(stopped)
    assert.equal(404, err.status)
    local fields = {}
    for name in pairs(first) do fields[#fields + 1] = name end
    table.sort(fields)
    assert.same({ "address", "city", "country", "id", "latitude", "longitude", "state" }, fields)
  end)
end)
