-- The systems that the sandbox plays: their modules, and where each of their environments is mounted. `base`
-- is what a server's URL in the vendor's documentation has beyond the host, `sizes` what sandbox.start may size,
-- `plans` those that have limits of their own ("address": callers are counted by it, as without a plan).

return {
  edgegap = {
    module = "moonrest.sandbox.edgegap", mounts = { production = "edgegap" }, base = {},
    sizes = { apps = true, tags = true, hosts = true }, plans = {},
  },
  edgee = {
    module = "moonrest.sandbox.edgee", mounts = { production = "edgee" }, base = {},
    sizes = { rows = true, sessions = true }, plans = { free = true, pro = true, enterprise = true },
  },
  cygni = {
    module = "moonrest.sandbox.cygni", mounts = { production = "cygni", server = "cygni-server" },
    base = { production = "/v1", server = "/api/v2" },
    sizes = { projects = true, deployments = true, log_rows = true },
    plans = { address = true, free = true, starter = true, pro = true, enterprise = true },
  },
  template = {
    module = "moonrest.sandbox.template",
    mounts = { production = "template", staging = "template-staging", sandbox = "template-sandbox" },
    base = { production = "/v1", staging = "/v1", sandbox = "/v1" },
    sizes = { resources = true, projects = true, users = true, jobs = true, tasks = true, logs = true },
    plans = { free = true, pro = true, enterprise = true },
  },
  capgo = {
    module = "moonrest.sandbox.capgo", mounts = { production = "capgo" }, base = {},
    sizes = { organizations = true, apps = true, bundles = true, channels = true, devices = true },
    plans = { free = true, standard = true, enterprise = true, server = true },
  },
}
