#!/bin/sh
# Runs a command with an empty $XDG_RUNTIME_DIR, so that it shares no limits with anybody.
preload=${LD_PRELOAD-}
unset LD_PRELOAD
rm -rf "$XDG_RUNTIME_DIR"
mkdir -p -m 700 "$XDG_RUNTIME_DIR"
[ -z "$preload" ] || export LD_PRELOAD="$preload"
exec "$@"
