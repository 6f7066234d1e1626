-- A command that brings a credential again after a 401: what goes on meanwhile, and what ends it. The command says
-- "old-one" when the client is opened, and from then on "new-one" as soon as the test lets it.

local loop = require "spec.support.loop"
local moonrest = require "moonrest"
local raw_server = require "spec.support.raw_server"
local slow_server = require "spec.support.slow_server"

local refused <const> = raw_server.response(401, "{}")
local ok <const> = raw_server.response(200, '{"id":1}')

local function write(path, text)
  local file <close> = assert(io.open(path, "w"))
  file:write(text)
end

local Command = { __name = "command" }
Command.__index = Command

local line <const> = "echo $$ >>%s; test -e %s || { echo old-one; exit; }; "
  .. "while test -e %s; do sleep 0.02; done; echo %s"

local function new_command(last)
  local runs, gate = os.tmpname(), os.tmpname()
  os.remove(gate)
  local secret = moonrest.command(line:format(runs, gate, gate, last or "new-one"))
  write(gate, "")
  return setmetatable({ runs = runs, gate = gate, secret = secret }, Command)
end

function Command:release() os.remove(self.gate) end

-- The process ids of its runs after the first.
function Command:started()
  local list = {}
  for id in io.lines(self.runs) do list[#list + 1] = id end
  table.remove(list, 1)
  return list
end

function Command:__close()
  os.remove(self.gate)
  os.remove(self.runs)
end

-- Its parent is gone too: what nobody reaps has ended all the same.
local function has_ended(process)
  assert(process, "the command was not started")
  for _ = 1, 500 do
    local file <close> = io.open(("/proc/%s/stat"):format(process))
    local status = file and file:read "a"
    if not status or status:find(") Z ", 1, true) then return true end
    os.execute "sleep 0.01"
  end
  return false
end

local function open(server, command)
  return moonrest.open({
    name = "renewed", servers = { production = "https://api.renewed.example" },
    auth = { header = "Authorization", prefix = "" },
    resources = { things = { get = { "GET /things/{id}", "One thing." } } },
  }, { base_url = server.url, token = command.secret, retry = false })
end

describe("a command that is run again on a 401", function()
  after_each(loop.close)

  it("lets other calls through, and serves all that wait for it with one run", function()
    local server <close> = raw_server.start { refused, refused, refused, ok }
    local other <close> = slow_server.start()
    local command <close> = new_command()
    local client, order = open(server, command), {}
    moonrest.run(function()
      for index = 1, 3 do
        moonrest.spawn(function()
          assert(client.things:get(index))
          order[#order + 1] = "renewed"
        end)
      end
      while not command:started()[1] do moonrest.sleep(0.01) end
      for index = 1, 3 do assert(other.client.things:get(index)) end
      order[#order + 1] = "others"
      while #server:requests() < 3 do moonrest.sleep(0.01) end
      moonrest.sleep(0.05)
      command:release()
    end)
    assert.same({ "others", "renewed", "renewed", "renewed" }, order)
    assert.equal(1, #command:started())
    local requests = server:requests()
    assert.equal(6, #requests)
    for index = 1, 6 do assert.matches(index > 3 and "new-one" or "old-one", requests[index], 1, true) end
  end)

  it("puts the new one into the query too, in place of the old", function()
    local server <close> = raw_server.start { refused, ok }
    local command <close> = new_command()
    local client = moonrest.open({
      name = "queried", servers = { production = "https://api.queried.example" },
      auth = { query = "key" },
      resources = { things = { list = { "GET /things", "Things.", query = { page = "integer" } } } },
    }, { base_url = server.url, token = command.secret, retry = false })
    moonrest.run(function()
      local call = moonrest.spawn(function() assert(client.things:list { page = 2 }) end)
      while not command:started()[1] do moonrest.sleep(0.01) end
      command:release()
      call:await()
    end)
    local requests = server:requests()
    assert.matches("^GET /things%?page=2&key=old%-one HTTP", requests[1])
    assert.matches("^GET /things%?page=2&key=new%-one HTTP", requests[2])
  end)

  it("holds up no step", function()
    local server <close> = raw_server.start { refused, ok }
    local command <close> = new_command()
    local client = open(server, command)
    local thing
    moonrest.spawn(function() thing = assert(client.things:get(1)) end)
    loop.step_until(function() return command:started()[1] end)
    for _ = 1, 100 do moonrest.step(0.001) end -- a step that waited would wait for the release, in vain
    assert.is_nil(thing)
    command:release()
    loop.step_until(function() return thing end)
    assert.equal(1, thing.id)
  end)

  it("leaves the refusal as it is when nothing has changed", function()
    local server <close> = raw_server.start { refused }
    local command <close> = new_command "old-one"
    local client = open(server, command)
    local err
    moonrest.run(function()
      moonrest.spawn(function() err = select(2, client.things:get(1)) end)
      while not command:started()[1] do moonrest.sleep(0.01) end
      command:release()
    end)
    assert.equal(401, err.status)
    assert.equal(1, #server:requests())
  end)

  it("ends with the call that an interrupt ends", function()
    local server <close> = raw_server.start { refused, ok }
    local command <close> = new_command()
    local client = open(server, command)
    debug.sethook(function() -- as lua5.4 raises it
      if not command:started()[1] then return end
      debug.sethook()
      error("interrupted!", 0)
    end, "", 1)
    local _, problem = pcall(function() client.things:get(1) end)
    debug.sethook()
    assert.matches("renewed.things:get: interrupted! It had no answer yet; it only reads", problem, 1, true)
    assert.is_true(has_ended(command:started()[1]))
    assert.equal(1, #server:requests())
  end)

  it("ends with the last task that waits for it", function()
    local server <close> = raw_server.start { refused, refused, ok }
    local command <close> = new_command()
    local client = open(server, command)
    local one = moonrest.spawn(function() client.things:get(1) end)
    local other = moonrest.spawn(function() client.things:get(2) end)
    loop.step_until(function() return command:started()[1] and #server:requests() == 2 end)
    for _ = 1, 50 do moonrest.step(0.001) end
    one:cancel()
    assert.is_true(os.execute("kill -0 " .. command:started()[1]))
    other:cancel()
    assert.is_true(has_ended(command:started()[1]))
    assert.equal(1, #command:started())
  end)

  it("ends at the deadline of who waits", function()
    local server <close> = raw_server.start { refused, ok }
    local command <close> = new_command()
    local _, err = open(server, command).things:get({ id = 1 }, { timeout = 2 })
    assert.equal("timeout", err.kind)
    assert.is_true(has_ended(command:started()[1]))
  end)

  it("ends with its client", function()
    local server <close> = raw_server.start { refused, ok }
    local command <close> = new_command()
    local client = open(server, command)
    local err
    moonrest.spawn(function() err = select(2, client.things:get(1)) end)
    loop.step_until(function() return command:started()[1] end)
    client:close()
    loop.step_until(function() return err end)
    assert.equal("cancelled", err.kind)
    assert.is_true(has_ended(command:started()[1]))
  end)
end)
