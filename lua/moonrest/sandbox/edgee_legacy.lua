-- The older routes of the Edgee host: tokens, organizations and their people,
-- invitations, uploads here; projects and components in files of their own.

local calendar = require "moonrest.sandbox.calendar"
local support = require "moonrest.sandbox.support"
local edgee = require "moonrest.sandbox.edgee_support"
local projects = require "moonrest.sandbox.edgee_projects"
local components = require "moonrest.sandbox.edgee_components"

local roles = { "admin", "editor", "member" }
local role_rules = { role = { type = "string!", enum = roles } }
local text = { type = "string!", min_length = 1 }
local ME = "user_0001"

local function found(shelf, id, what)
  local row = shelf:get(id)
  if not row then edgee.refuse_typed("not_found_error", what .. " not found") end
  return row
end

local function deleted(shelf, id, what)
  local row = found(shelf, id, what)
  shelf:remove(id)
  return 200, { object = row.object, id = id, deleted = true }
end

-- Tokens ------------------------------------------------------------------

local function token_view(token)
  return support.assign({}, token, { "object", "id", "user_id", "name", "from_browser", "last_used_at", "expires_at",
    "created_at", "updated_at" })
end

local function create_token(world, request)
  local body = edgee.typed_body(request, { name = text, expires_at = "string" })
  if body.expires_at and not calendar.parse(body.expires_at) then
    edgee.refuse_typed("invalid_request_error", "Some parameters are not valid", { expires_at = "Must be an ISO date" })
  end
  local id, now = world.id "token", calendar.iso(world.now())
  local token = {
    object = "api_token", id = id, user_id = ME, name = body.name, from_browser = false, created_at = now,
    updated_at = now, expires_at = body.expires_at,
  }
  world.store.api_tokens:add(id, token)
  local reply = token_view(token)
  reply.token = string.format("ek_live_%016x", support.mix(world.seed, "token", id))
  return 200, reply
end

local function token_routes(world)
  world.store.api_tokens = support.shelf()
  local tokens = world.store.api_tokens
  world:route("GET", "/v1/api_tokens", function(request)
    return 200, edgee.cursor_list(world, request, tokens, edgee.filter(request, { "name" }), token_view)
  end)
  world:route("POST", "/v1/api_tokens", function(request) return create_token(world, request) end)
  world:route("GET", "/v1/api_tokens/{id}", function(request)
    return 200, token_view(found(tokens, request.params.id, "Token"))
  end)
  world:route("DELETE", "/v1/api_tokens/{id}", function(request)
    return deleted(tokens, request.params.id, "Token")
  end)
end

-- Users -------------------------------------------------------------------

local function seed_users(world)
  world.store.users = support.shelf()
  local now = calendar.iso(world.now())
  for number, name in ipairs { "Ada Moon", "Berk Tide", "Cleo Star" } do
    local id = string.format("user_%04d", number)
    world.store.users:add(id, {
      object = "user", id = id, name = name, email = name:lower():gsub(" ", ".") .. "@example.com", slug = id,
      created_at = now, updated_at = now,
    })
  end
end

local function member(world, user_id, role)
  local fields = { "object", "id", "name", "email", "slug", "avatar_url", "created_at", "updated_at" }
  local row = support.assign({}, world.store.users:get(user_id), fields)
  row.role = role
  return row
end

local function seed_members(world, org)
  for number, user in ipairs(world.store.users:list()) do
    org.users:add(user.id, member(world, user.id, roles[number]))
  end
end

-- A user with its roles: { organization id = role }.
local function user_view(world, user)
  local view = support.assign({}, user, { "object", "id", "name", "email", "avatar_url", "created_at", "updated_at" })
  view.roles = {}
  for _, org in ipairs(world.store.organizations:list()) do
    local row = org.users:get(user.id)
    if row then view.roles[org.id] = row.role end
  end
  return view
end

local function user_routes(world)
  local users = world.store.users
  world:route("GET", "/v1/users/me", function() return 200, user_view(world, users:get(ME)) end)
  world:route("GET", "/v1/users/{id}", function(request)
    return 200, user_view(world, found(users, request.params.id, "User"))
  end)
  world:route("POST", "/v1/users/{id}", function(request)
    local user = found(users, request.params.id, "User")
    local body = edgee.typed_body(request, { avatar_url = "string", terms_version = "string",
                                             privacy_version = "string" })
    if user.id ~= ME then edgee.refuse_typed("forbidden_error", "Only your own profile can be changed") end
    support.assign(user, body, { "avatar_url", "terms_version", "privacy_version" })
    user.updated_at = calendar.iso(world.now())
    return 200, user_view(world, user)
  end)
end

-- Organizations -----------------------------------------------------------

local function organization(world, request)
  return found(world.store.organizations, request.params.id, "Organization")
end

local function create_organization(world, new_organization, request)
  local body = edgee.typed_body(request, { name = text, slug = text })
  if world.store.organizations:find(function(org) return org.row.slug == body.slug end) then
    edgee.refuse_typed("conflict_error", "This slug is taken", { slug = "Must be unique" })
  end
  local id = world.id "org"
  local org = new_organization(world, id, { name = body.name, slug = body.slug })
  org.users:add(ME, member(world, ME, "admin"))
  return 200, world.store.organizations:add(id, org).row
end

local function update_organization(world, request)
  local org = organization(world, request)
  local body = edgee.typed_body(request, { id = text, name = "string", slug = "string" })
  support.assign(org.row, body, { "name", "slug" })
  org.row.updated_at = calendar.iso(world.now())
  return 200, org.row
end

local function delete_organization(world, request)
  local org = organization(world, request)
  world.store.organizations:remove(org.id)
  return 200, { object = "organization", id = org.id, deleted = true }
end

local function organization_routes(world, new_organization)
  world:route("POST", "/v1/organizations", function(request)
    return create_organization(world, new_organization, request)
  end)
  world:route("GET", "/v1/organizations/me", function()
    local first = world.store.organizations:list()[1]
    if not first then edgee.refuse_typed("not_found_error", "Organization not found") end
    return 200, first.row
  end)
  world:route("POST", "/v1/organizations/{id}", function(request) return update_organization(world, request) end)
  world:route("DELETE", "/v1/organizations/{id}", function(request)
    return delete_organization(world, request)
  end)
end

local function update_member(world, request)
  local user = found(organization(world, request).users, request.params.userId, "User")
  local body = edgee.typed_body(request, role_rules)
  user.role, user.updated_at = body.role, calendar.iso(world.now())
  return 200, user
end

local function member_routes(world)
  world:route("GET", "/v1/organizations/{id}/users", function(request)
    local users = organization(world, request).users
    edgee.check_query(request, role_rules)
    return 200, edgee.cursor_list(world, request, users, edgee.filter(request, { "role" }))
  end)
  world:route("POST", "/v1/organizations/{id}/users/{userId}", function(request)
    return update_member(world, request)
  end)
  world:route("DELETE", "/v1/organizations/{id}/users/{userId}", function(request)
    return deleted(organization(world, request).users, request.params.userId, "User")
  end)
end

-- Invitations and uploads -------------------------------------------------

local function create_invitation(world, request)
  local body = edgee.typed_body(request, { email = text, organization_id = text, role = role_rules.role })
  found(world.store.organizations, body.organization_id, "Organization")
  local row = support.assign({ object = "invitation", id = world.id "inv", created_at = calendar.iso(world.now()) },
    body, { "email", "organization_id", "role" })
  return 200, world.store.invitations:add(row.id, row)
end

local function invitation_routes(world)
  world.store.invitations = support.shelf()
  local invitations = world.store.invitations
  world:route("GET", "/v1/invitations", function(request)
    return 200, edgee.cursor_list(world, request, invitations, edgee.filter(request, { "organization_id" }))
  end)
  world:route("POST", "/v1/invitations", function(request) return create_invitation(world, request) end)
  world:route("GET", "/v1/invitations/{id}", function(request)
    return 200, found(invitations, request.params.id, "Invitation")
  end)
  world:route("DELETE", "/v1/invitations/{id}", function(request)
    return deleted(invitations, request.params.id, "Invitation")
  end)
end

-- The presigned address takes one PUT without a token, as an object store does.
local function upload_routes(world)
  world:route("GET", "/v1/upload/presign", function(request)
    local host = request.headers.host or "127.0.0.1"
    return 200, { upload_url = string.format("http://%s/%s/uploads/%s", host, world.mount, world.id "upload") }
  end)
  world:route("PUT", "/uploads/{id}", function() return 200 end, { auth = false })
end

-- 'new_organization' is (world, id, fields): the current routes know what one holds.
return function(world, new_organization)
  seed_users(world)
  for _, org in ipairs(world.store.organizations:list()) do seed_members(world, org) end
  token_routes(world)
  user_routes(world)
  organization_routes(world, new_organization)
  member_routes(world)
  invitation_routes(world)
  upload_routes(world)
  components.routes(world)
  projects(world)
end
