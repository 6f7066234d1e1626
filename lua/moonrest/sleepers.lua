-- Tasks by the moment at which they want to be woken: their wake_at. See task_heap.lua for what can be asked.

return require "moonrest.task_heap".new("wake_at", "sleep_place")
