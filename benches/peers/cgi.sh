#!/bin/sh
# The same job as a CGI in sh: judges two keys by their digests, writes a log line, starts the task by sudo.
floor=/usr/local/remotetask-floor
digest() { printf %s "$1" | sha256sum | cut -d ' ' -f 1; }
answer() { printf 'Status: %s\r\nContent-Type: text/plain\r\n\r\n%s\n' "$1" "$2"; }
path=${PATH_INFO#/}
if [ "$(digest "${path%%/*}") $(digest "${path#*/}")" = "$(cat $floor/digests)" ] && sudo -n $floor/starter; then
    said=finished
    answer '200 OK' 'Task finished'
else
    said=refused
    answer '404 Not Found' 'no'
fi
echo "$(date '+%F %T') $said from=$REMOTE_ADDR" >>$floor/log-sh
