-- Edgegap's container registry: one image, whose name has a slash in it, with tags that share artifacts.

local edgegap = require "moonrest.sandbox.edgegap_support"
local support = require "moonrest.sandbox.support"

local IMAGE = "my-org-sandbox/my-game-server"
local DEFAULT_TAGS = 12
local DAY = 86400

local function new_artifact(world, number)
  return { tags = support.shelf(), size_mb = 400.5 + number,
           hash = ("sha256:%013x%013x"):format(support.mix(world.seed, "image", number),
                                              support.mix(world.seed, "image again", number)) }
end

-- Every fourth tag is a second one of the artifact before it.
local function populate(world)
  local tags, artifact = support.shelf(), nil
  local count = world:size("tags", DEFAULT_TAGS)
  for number = 1, count do
    if number % 4 ~= 0 or not artifact then artifact = new_artifact(world, number) end
    local name = number == count and "locked" or ("2026.01.%02d-build.%d"):format((number - 1) % 28 + 1, number)
    artifact.tags:add(name, name)
    tags:add(name, { tag = name, pushed = world.now() - (count - number) * DAY, artifact = artifact })
  end
  world.store.images = { [IMAGE] = tags }
end

local function tags_of(world, request)
  local tags = world.store.images[request.params.image_name]
  if not tags then edgegap.refuse(404, "Image " .. request.params.image_name .. " does not exist") end
  return tags
end

local function show_artifact(artifact)
  return { artifact_deleted = artifact.tags.count == 0, size_mb = artifact.size_mb, image_hash = artifact.hash,
           remaining_tags = edgegap.array(artifact.tags:list()) }
end

local function delete_tag(tags, name)
  local row = tags:remove(name)
  row.artifact.tags:remove(name)
  return row
end

local function delete_several(tags, names)
  local results, failed = edgegap.array(), 0
  for i, name in ipairs(names) do
    local status, message = 204, "Deleted"
    if name == "locked" and tags:get(name) then status, message = 500, "The tag could not be deleted"
    elseif not tags:get(name) then status, message = 404, "The tag does not exist"
    else delete_tag(tags, name) end
    if status ~= 204 then failed = failed + 1 end
    results[i] = { tag = name, status = status, message = message }
  end
  return 207, { results = results, summary = { total = #names, success = #names - failed, failed = failed } }
end

return function(world)
  populate(world)
  local base = "/v1/container-registry/images/{image_name...}/tags"
  world:route("GET", base, function(request)
    local rows = support.map(tags_of(world, request):list(nil, true), function(row)
      return { tag = row.tag, last_push_at = edgegap.date(row.pushed), artifact = show_artifact(row.artifact) }
    end)
    return 200, { data = (edgegap.page(world, request, rows)) } -- neither a count nor pagination
  end)
  world:route("DELETE", base .. "/{tag_name}", function(request)
    local tags, name = tags_of(world, request), request.params.tag_name
    if not tags:get(name) then edgegap.refuse(404, "Tag " .. name .. " does not exist") end
    return 200, { deleted_tag = name, artifact = show_artifact(delete_tag(tags, name).artifact) }
  end)
  world:route("POST", base .. "/bulk-delete", function(request)
    local tags = tags_of(world, request)
    local body = edgegap.body(request, { tags = { type = "array!", items = "string!", min_items = 1 } })
    return delete_several(tags, body.tags)
  end)
  world:route("GET", "/v1/wizard/registry-credentials", function()
    return 200, { registry_url = "registry.edgegap.com", project = "my-org-sandbox",
                  username = "robot$my-org-sandbox+client-push", token = "sandbox-registry-token" }
  end)
  world:route("POST", "/v1/wizard/init-quick-start", function(request)
    edgegap.body(request, { source = "string!" })
    return 204
  end)
end
