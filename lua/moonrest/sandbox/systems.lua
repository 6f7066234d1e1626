-- The systems that the sandbox plays: their modules, and where each of their environments is mounted. `base`
-- is what a server's URL in the vendor's documentation has beyond the host.

return {
  edgegap = { module = "moonrest.sandbox.edgegap", mounts = { production = "edgegap" }, base = {} },
  edgee = { module = "moonrest.sandbox.edgee", mounts = { production = "edgee" }, base = {} },
  cygni = {
    module = "moonrest.sandbox.cygni", mounts = { production = "cygni", server = "cygni-server" },
    base = { production = "/v1", server = "/api/v2" },
  },
  template = {
    module = "moonrest.sandbox.template",
    mounts = { production = "template", staging = "template-staging", sandbox = "template-sandbox" },
    base = { production = "/v1", staging = "/v1", sandbox = "/v1" },
  },
  capgo = { module = "moonrest.sandbox.capgo", mounts = { production = "capgo" }, base = {} },
}
