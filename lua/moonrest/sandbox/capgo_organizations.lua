-- Capgo: organizations, their members and the list of what was changed.

local calendar = require "moonrest.sandbox.calendar"
local support = require "moonrest.sandbox.support"
local capgo = require "moonrest.sandbox.capgo_support"

local AUDIT_DEFAULT, AUDIT_MAX = 50, 100
local org_fields = { "id", "created_by", "created_at", "updated_at", "logo", "name", "management_email", "customer_id",
  "website" }
local changeable = { "name", "logo", "management_email", "website", "require_apikey_expiration",
  "max_apikey_expiration_days", "enforce_hashed_api_keys", "enforcing_2fa" }
local invite_types = support.set { "read", "upload", "write", "admin", "super_admin", "invite_read", "invite_upload",
  "invite_write", "invite_admin", "invite_super_admin", "org_member", "org_billing_admin", "org_admin",
  "org_super_admin" }

local organizations = {}

-- Organizations -----------------------------------------------------------

local function view(org)
  return support.assign({}, org.row, org_fields)
end

function organizations.new(world, id, fields)
  local now = calendar.iso_ms(world.now())
  local org = { id = id, members = support.shelf(), webhooks = support.shelf(), audit = {} }
  org.row = support.assign({
    id = id, created_by = world.store.user_id, created_at = now, updated_at = now, logo = support.null,
    customer_id = support.null, website = support.null, management_email = "owner@example.com",
  }, fields, changeable)
  org.members:add("owner@example.com", {
    uid = world.store.user_id, email = "owner@example.com", image_url = "", role = "super_admin", is_tmp = false,
  })
  return world.store.organizations:add(id, org)
end

-- The page must be a number, which no query can bring: only a JSON body on a GET can.
local function list(world, input)
  if type(input.page) == "string" then
    capgo.refuse(400, "invalid_body", "Invalid body", { error = "page: Expected number, received string" })
  end
  local page = capgo.page(input)
  local rows = support.map(world.store.organizations:list(), view)
  return 200, support.array(support.slice(rows, page * capgo.PAGE, capgo.PAGE))
end

local function get(world, _, input)
  if input.orgId == nil then return list(world, input) end
  return 200, view(capgo.organization(world, input.orgId, 403, "cannot_access_organization"))
end

local function create(world, _, input)
  capgo.need(input, "name")
  if not support.is_text(input.name, 3) then
    capgo.refuse(400, "invalid_body", "name must have at least 3 characters", { body = input })
  end
  if input.estimatedMau ~= nil and not support.integer(input.estimatedMau, 0, 1000000) then
    capgo.refuse(400, "invalid_body", "estimatedMau must be 0 to 1000000", { body = input })
  end
  local fields = support.assign({}, input, { "name", "website" })
  fields.management_email = input.email
  local org = organizations.new(world, world.uuid(), fields)
  capgo.changed(world, { org = org, table = "orgs", operation = "INSERT", id = org.id, new = view(org) })
  return 200, { id = org.id }
end

local function update(world, _, input)
  capgo.need(input, "orgId")
  local org = capgo.organization(world, input.orgId, 403)
  local days = input.max_apikey_expiration_days
  if days ~= nil and days ~= support.null and not support.integer(days, 1, 365) then
    capgo.refuse(400, "invalid_body", "max_apikey_expiration_days must be 1 to 365", { body = input })
  end
  local old = view(org)
  support.assign(org.row, input, changeable)
  org.row.updated_at = calendar.iso_ms(world.now())
  capgo.changed(world, { org = org, table = "orgs", operation = "UPDATE", id = org.id, old = old, new = view(org) })
  return 200, { status = "Organization updated", id = org.id, data = view(org) }
end

local function delete(world, _, input)
  capgo.need(input, "orgId")
  local org = capgo.organization(world, input.orgId, 403, "invalid_org_id")
  world.store.organizations:remove(org.id)
  for _, app in ipairs(world.store.apps:list(function(one) return one.row.owner_org == org.id end)) do
    world.store.apps:remove(app.id)
  end
  return 200, { status = "ok" }
end

-- Members -----------------------------------------------------------------

local function invite(world, _, input)
  capgo.need(input, "orgId", "email", "invite_type")
  local org = capgo.organization(world, input.orgId)
  if not invite_types[input.invite_type] then
    capgo.refuse(400, "invalid_body", "invite_type is not known", { body = input })
  end
  local member = org.members:get(input.email)
  local operation = member and "UPDATE" or "INSERT"
  member = member or org.members:add(input.email, {
    uid = world.uuid(), email = input.email, image_url = "", is_tmp = true,
  })
  member.role = input.invite_type
  capgo.changed(world, { org = org, table = "org_users", operation = operation, id = member.uid,
    new = capgo.copy(member) })
  return 200, { status = "ok" }
end

local function remove_member(world, _, input)
  capgo.need(input, "orgId", "email")
  local org = capgo.organization(world, input.orgId)
  local member = org.members:remove(input.email)
  if not member then capgo.refuse(404, "user_not_found", "User not found", { email = input.email }) end
  capgo.changed(world, { org = org, table = "org_users", operation = "DELETE", id = member.uid, old = member })
  return 200, { status = "ok" }
end

-- Audit -------------------------------------------------------------------

local function changed_fields(change)
  local names = support.array {}
  for name, value in pairs(change.new or {}) do
    if change.old and change.old[name] ~= value then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

local function keep(world, change)
  table.insert(change.org.audit, 1, {
    id = capgo.next_id(world, "audit"), org_id = change.org.id, user_id = world.store.user_id,
    table_name = change.table, operation = change.operation, record_id = tostring(change.id),
    old_record = change.old or support.null, new_record = change.new or support.null,
    changed_fields = changed_fields(change), created_at = calendar.iso_ms(world.now()),
  })
end

local function list_audit(world, _, input)
  capgo.need(input, "orgId")
  local org, page = capgo.organization(world, input.orgId, 403), capgo.page(input)
  local limit = support.integer(input.limit or AUDIT_DEFAULT, 1)
  if not limit then capgo.refuse(400, "invalid_body", "limit must be a positive number", { body = input }) end
  limit = math.min(limit, AUDIT_MAX)
  local rows = {}
  for _, row in ipairs(org.audit) do
    if (not input.tableName or input.tableName == row.table_name)
      and (not input.operation or input.operation == row.operation) then
      rows[#rows + 1] = row
    end
  end
  return 200, {
    data = support.array(support.slice(rows, page * limit, limit)), total = #rows, page = page, limit = limit,
  }
end

-- Sizes: organizations (2).
function organizations.seed(world)
  world.store.organizations = support.shelf()
  world.store.user_id = support.uuid(world.seed, "user")
  for number = 1, world:size("organizations", 2) do
    organizations.new(world, support.uuid(world.seed, "org", number), { name = "Organization " .. number })
  end
  table.insert(world.store.listeners, function(change) keep(world, change) end)
end

function organizations.routes(world)
  local function serve(method, path, gate, denied, handler)
    capgo.route(world, method, path, gate, denied, function(request, input) return handler(world, request, input) end)
  end
  local no_org = { 403, "cannot_access_organization" }
  local no_members = { 400, "cannot_access_organization" }
  serve("GET", "/organization", "K", no_org, get)
  serve("POST", "/organization", "A", { 403, "cannot_create_org" }, create)
  serve("PUT", "/organization", "A", no_org, update)
  serve("DELETE", "/organization", "K", { 403, "invalid_org_id" }, delete)
  serve("GET", "/organization/members", "K", no_members, function(_, _, input)
    capgo.need(input, "orgId")
    return 200, support.array(capgo.organization(world, input.orgId).members:list())
  end)
  serve("POST", "/organization/members", "K", no_members, invite)
  serve("DELETE", "/organization/members", "A", no_members, remove_member)
  serve("GET", "/organization/audit", "A", no_org, list_audit)
end

return organizations
