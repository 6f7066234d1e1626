-- What the first request of a client waits for, ahead of it: the certificates of the system are loaded, the server's
-- name is looked up, a connection is tried and ended. Nothing is sent and no limit counts it.

local call = require "moonrest.call"
local caller = require "moonrest.caller"
local client = require "moonrest.client"
local errors = require "moonrest.errors"
local response = require "moonrest.response"
local site = require "moonrest.site"
local types = require "moonrest.types"
local wait = require "moonrest.wait"

local prepare = {}

local options <const> = { connect = true, attempts = 1 }

-- Requests that end with a block.
local group_type = { __name = "moonrest.prepare", __close = function(group)
  for _, one in ipairs(group) do one.request:close() end
end }

local function check_clients(given)
  local sites = {}
  for index = 1, given.n do
    if not client.is(given[index]) then
      caller.raise("moonrest.prepare: argument %d must be a client, of moonrest.open%s", index, types.got(given[index]))
    end
    local one = client.site(given[index])
    if one.is_closed then caller.raise("moonrest.prepare: argument %d: the client is closed", index) end
    sites[index] = one
  end
  return sites
end

local function all_open()
  local sites = {}
  for one in pairs(site.opened) do
    if not one.is_closed then sites[#sites + 1] = one end
  end
  if #sites == 0 then caller.raise "moonrest.prepare: no client is open yet: open those that will be used" end
  return sites
end

local function labelled(recipe, name)
  return setmetatable({ label = name .. ":prepare" }, { __index = recipe })
end

local function start_all(sites, group)
  local task = wait.task()
  for _, one in ipairs(sites) do
    local recipe = labelled(client.generic_recipe(one, "GET"), one.definition.name)
    local request, kind, message = recipe.endpoint:start("/", options, task and task.number)
    if not request then return nil, errors.of_start(recipe, kind, message) end
    group[#group + 1] = { request = request, recipe = recipe }
    request:hold()
  end
  return true
end

local function finish(recipe, request)
  wait.finish(request, nil, recipe.label)
  local status, kind, message = request:outcome()
  if not kind then return true end
  return nil, errors.of_transport(recipe, response.new(recipe, request, status), kind, message)
end

-- Prepares these clients, or all that are open. true, or nil and the err of the first that cannot be reached; the
-- others are prepared all the same.
local function run(sites)
  local group <close> = setmetatable({}, group_type)
  local is_good, problem = start_all(sites, group)
  for _, one in ipairs(group) do
    local reached, err = finish(one.recipe, one.request)
    if not reached and is_good then is_good, problem = nil, err end
  end
  return is_good, problem
end

function prepare.prepare(...)
  local given = table.pack(...)
  local sites = given.n > 0 and check_clients(given) or all_open()
  local first = given[1]
  return call.deliver(first and rawget(first, 1).defaults, run(sites))
end

return prepare
