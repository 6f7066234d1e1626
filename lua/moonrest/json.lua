--- The JSON codec: decode, encode, decoder, array, is_array, null (csrc/lua/json_module.c).
return require("moonrest.core").json
