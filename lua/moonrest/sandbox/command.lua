-- The command moonrest-sandbox: the sandbox as a program of its own, until Ctrl-C or SIGTERM.
--   os.exit(require "moonrest.sandbox.command"(arg))

local sandbox = require "moonrest.sandbox"
local systems = require "moonrest.sandbox.systems"

local USAGE = [[
Usage: moonrest-sandbox [options]
A local server that plays edgegap, edgee, cygni, template and capgo.

  --port N          port on 127.0.0.1 (default: any free one)
  --seed N          the same seed gives the same data and ids (default 1)
  --latency S       seconds that every answer is kept back
  --plan P          rate limits of plan P; --plan cygni=pro for one system
  --no-limits       no rate limits
  --page-size N     size of pages that ask for none
  --systems A,B     only these systems
  --help            this text
]]

-- {======================================================
-- Arguments
-- ======================================================

local function integer(text) return math.tointeger(tonumber(text)) end

local function is_some_plan(plan)
  for _, system in pairs(systems) do
    if system.plans[plan] then return true end
  end
  return false
end

local function add_plan(options, text)
  local name, plan = text:match "^(%a+)=(.+)$"
  if not name then
    options.plan = text
    return is_some_plan(text)
  end
  if type(options.plan) == "string" or not systems[name] or not systems[name].plans[plan] then return false end
  options.plan = options.plan or {}
  options.plan[name] = plan
  return true
end

local function add_systems(options, text)
  options.systems = {}
  for name in text:gmatch "[^,]+" do
    if not systems[name] then return false end
    table.insert(options.systems, name)
  end
  return #options.systems > 0
end

local function setter(name, convert)
  return function(options, text)
    options[name] = convert(text)
    return options[name] ~= nil
  end
end

-- Those that take a value.
local setters = {
  ["--port"] = setter("port", integer), ["--seed"] = setter("seed", integer),
  ["--latency"] = setter("latency", tonumber), ["--page-size"] = setter("page_size", integer),
  ["--plan"] = add_plan, ["--systems"] = add_systems,
}

--- Options for sandbox.start, or nil and what is wrong; true for --help.
local function parse(arguments)
  local options, position = {}, 1
  while arguments[position] do
    local name, value = arguments[position]:match "^(%-%-[%a-]+)=?(.*)$"
    if name == "--help" then return true end
    if name == "--no-limits" and value == "" then
      options.limits = false
    else
      if not setters[name] then return nil, "unknown option " .. arguments[position] end
      if value == "" then
        position = position + 1
        value = arguments[position]
      end
      if not value or not setters[name](options, value) then
        return nil, ("option %s cannot be '%s'"):format(name, value or "")
      end
    end
    position = position + 1
  end
  return options
end

-- }======================================================

local function rows(server, names)
  local lines = {}
  for _, name in ipairs(names) do
    local environments = {}
    for environment in pairs(systems[name].mounts) do environments[#environments + 1] = environment end
    table.sort(environments, function(a, b) return a == "production" and b ~= a or b ~= "production" and a < b end)
    for _, environment in ipairs(environments) do
      lines[#lines + 1] = { name, environment, server:base(name, environment), server:token(name) }
    end
  end
  return lines
end

local function print_table(lines)
  local widths = { 0, 0, 0 }
  for _, line in ipairs(lines) do
    for i = 1, 3 do widths[i] = math.max(widths[i], #line[i]) end
  end
  local form = ("  %%-%ds  %%-%ds  %%-%ds  %%s\n"):format(widths[1], widths[2], widths[3])
  for _, line in ipairs(lines) do io.write(form:format(table.unpack(line))) end
end

local function names_of(options)
  if options.systems then return options.systems end
  local names = {}
  for name in pairs(systems) do names[#names + 1] = name end
  table.sort(names)
  return names
end

--- Runs until SIGINT or SIGTERM. Returns the exit status: 0, 1 when it cannot start, 2 for bad arguments.
local function announce(server, options)
  io.write("moonrest sandbox at ", server.url, "\n\n")
  local lines = rows(server, names_of(options))
  table.insert(lines, 1, { "system", "environment", "base URL", "token" })
  print_table(lines)
  io.write "\nCtrl-C or SIGTERM stops it.\n"
end

return function(arguments)
  local options, problem = parse(arguments)
  if options == true then
    io.write(USAGE)
    return 0
  end
  local fine, server, message = problem == nil, nil, problem
  if fine then fine, server, message = pcall(sandbox.start, options) end
  if not fine then
    io.stderr:write("moonrest-sandbox: ", tostring(message or server), "\n", USAGE)
    return 2
  end
  if not server then
    io.stderr:write("moonrest-sandbox: ", message, "\n")
    return 1
  end
  io.stdout:setvbuf "line"
  local signal = server:wait(function() announce(server, options) end)
  server:stop()
  io.write("stopped by ", signal, "\n")
  return 0
end
