-- Certificates for TLS tests, made anew by the openssl command, as PEM files in a folder that goes with the handle.
--
--   local certificates <close> = certificates.make()
--   certificates.ca, .good (127.0.0.1 and localhost), .wrong (elsewhere.test), .client, .key (of all of them)

local certificates = {}

local Folder = { __name = "certificates" }

function Folder:__close()
  os.execute(("rm -rf '%s'"):format(self.folder))
end

local function must(command)
  assert(os.execute(command .. " >/dev/null 2>&1"), command)
end

function certificates.is_possible()
  return os.execute "command -v openssl >/dev/null" == true
end

local function sign(made, name, hosts)
  made[name] = ("%s/%s.pem"):format(made.folder, name)
  must(("openssl req -new -key %s -subj /CN=%s -addext subjectAltName=%s -out %s/request.pem"):format(made.key, name,
    hosts, made.folder))
  must(("openssl x509 -req -in %s/request.pem -CA %s -CAkey %s -CAcreateserial -days 2 -copy_extensions copy -out %s")
    :format(made.folder, made.ca, made.key, made[name]))
end

function certificates.make()
  local folder = os.tmpname()
  os.remove(folder)
  must("mkdir -m 700 " .. folder)
  local made = setmetatable({ folder = folder, key = folder .. "/key.pem", ca = folder .. "/ca.pem" }, Folder)
  must(("openssl ecparam -name prime256v1 -genkey -noout -out %s"):format(made.key))
  must(("openssl req -x509 -new -key %s -subj '/CN=test authority' -days 2 -out %s"):format(made.key, made.ca))
  sign(made, "good", "IP:127.0.0.1,DNS:localhost")
  sign(made, "wrong", "DNS:elsewhere.test")
  sign(made, "client", "DNS:client.test")
  return made
end

return certificates
