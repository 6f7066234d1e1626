-- What a function prints on stderr, through the stream that the library writes to.
return function(fn)
  local kept, parts = io.stderr, {}
  io.stderr = { write = function(_, ...) -- luacheck: ignore 122
    for _, part in ipairs { ... } do parts[#parts + 1] = tostring(part) end
  end }
  local ok, problem = pcall(fn)
  io.stderr = kept -- luacheck: ignore 122
  assert(ok, problem)
  return table.concat(parts)
end
