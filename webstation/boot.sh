#!/bin/sh
# Remote task starter: puts back at boot what an update of DSM may have taken.
# DSM also calls this with "stop" when it shuts down: there is nothing to stop.
[ "${1:-}" != start ] || exec /usr/local/remotetask/remotetask repair --boot
