#!/bin/sh
# Remote task starter @VERSION@ for @MACHINE@ in one file: this text, and behind it the package.
# Root starts it on the NAS, from a task of DSM's Task Scheduler; README.md and docs/install.md tell how.
#
# Everything is a function and main comes last, so that half a file does nothing.
# shellcheck disable=SC3043 # `local` is in no standard, but in the shells of DSM 6.2 and 7 and in busybox ash
set -eu

MACHINE=@MACHINE@
NAME=remotetask-@VERSION@-@MACHINE@.run
# Of the package, in bytes.
SIZE=@SIZE@
# SHA-256 of this file without this line.
SUM=@SUM@

usage() {
    cat <<'END'
Usage: sh remotetask-@VERSION@-@MACHINE@.run --here
       [--port | --vhost | --php] [--tasks LIST] [--config FILE]
       [--phones home|proxy|vhost|later] [--url URL] [--probe TASK] [--dry-run]

Sets up the remote task starter on this NAS, or upgrades it, as root: the script
of a task of DSM's Task Scheduler (user root). It says what it does; the task's
result is the place to read that.

  --tasks    tasks of the Task Scheduler that get a URL, by number or name, such
             as "7,Check off". One link with a button for each, and the code
             that a phone scans, stand on a page beside this file, which is
             deleted once it was opened.
  --phones   how phones reach the NAS. home: in your home network alone, without
             https; proxy: by DSM's reverse proxy; vhost: by a virtual host of
             Web Station's; later: not yet
  --url      the address that phones will use, such as https://nas.example.org
  --config   your configuration, by its whole path; plain keys in it become
             digests
  --probe    a harmless scheduled task, by number or name, to find out which way
             starts one on this NAS
  --dry-run  says what there is to do, and changes nothing
  --port     the web server gets a port for it, as config.json says
  --vhost    for a virtual host of Web Station's; it shows what to click
  --php      the same with PHP, where Apache runs no programs, or with nginx
             alone
             Without one of these three it keeps the way in that is there, or
             takes the best.
END
}

err() { printf '%s: %s\n' "$NAME" "$*" >&2; exit 1; }

# The fault last: what stands above it scrolls away.
wrong() {
    usage >&2
    printf '\n%s: %s\n' "$NAME" "$*" >&2
    exit 2
}

main() {
    PATH=/sbin:/bin:/usr/sbin:/usr/bin:/usr/syno/sbin:/usr/syno/bin:/usr/local/sbin:/usr/local/bin
    LC_ALL=C
    export PATH LC_ALL
    umask 077
    local here want word machine file
    here=no want=''
    for word; do
        if [ -n "$want" ]; then
            want=''
            continue
        fi
        case $word in
            --here) here=yes ;;
            --tasks | --url | --config | --phones | --probe) want=$word ;;
            --port | --vhost | --php | --dry-run) ;;
            --help | -h) usage; exit 0 ;;
            *://* | */*) wrong "there is a word here that belongs to no option" ;; # it may be a secret URL
            *) wrong "there is no $word here" ;;
        esac
    done
    [ -z "$want" ] || wrong "$want wants a word behind it"
    { [ "$here" = yes ] && [ "$1" = --here ]; } || wrong "it begins with --here"
    shift
    [ "$(id -u)" = 0 ] || err "this needs root: make a task in the Task Scheduler, user root, that starts it"
    machine=$(uname -m)
    case $machine in
        "$MACHINE") ;;
        @PROCESSOR@) err "this file is for the processor $MACHINE, and this NAS has $machine: take ${NAME%-*}-$machine.run" ;;
        *) err "this NAS has the processor $machine, and there are programs for @PROCESSORS@ alone" ;;
    esac
    file=$(cd "$(dirname "$0")" && pwd -P)/$(basename "$0")
    is_whole || err "$file is not complete, or was changed: upload it again"
    package | sh -c "$(bootstrap)" "$NAME" here "$file" "$@"
}

package() { tail -c "$SIZE" "$file"; }

# Compares the file's own sum; where this NAS has no program for that, the one that gzip keeps of the package.
is_whole() {
    local sum
    if ! command -v sha256sum >/dev/null; then
        package | gzip -t 2>/dev/null
        return
    fi
    sum=$({ head -c "$(($(wc -c <"$file") - SIZE))" "$file" | grep -v '^SUM='; package; } 2>/dev/null | sha256sum)
    [ "${sum%% *}" = "$SUM" ]
}

bootstrap() {
    cat <<'BOOTSTRAP'
@BOOTSTRAP@
BOOTSTRAP
}

main "$@"
exit
