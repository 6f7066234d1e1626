-- Asserts that a call failed and that its message holds each of these plain texts.
return function(value, message, ...)
  assert(value == nil, "it did not fail")
  assert(type(message) == "string", "it does not say why")
  for _, part in ipairs { ... } do
    assert(message:find(part, 1, true), ("%q does not say %q"):format(message, part))
  end
end
