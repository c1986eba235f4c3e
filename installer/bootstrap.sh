#!/bin/sh
# Remote task starter: the part of its installer that runs on the NAS before one of its programs can, as root.
# The standard input is the package; the words are remotetask's: setup ..., or here FILE .... The name that this
# shell was given stands before its sentences.
#
# Everything is a function and main comes last, so that half a text does nothing.
# shellcheck disable=SC3043 # `local` is in no standard, but in the shells of DSM 6.2 and 7 and in busybox ash
set -eu

# Packages are unpacked in such folders. Behind the dot stands the number of the process that did it: this shell's,
# which is remotetask's later on.
STAGES=/usr/local/remotetask.new

err() {
    printf '%s: %s\n' "$0" "$*" >&2
    exit 1
}

main() {
    local kernel machine stage version
    PATH=/sbin:/bin:/usr/sbin:/usr/bin:/usr/syno/sbin:/usr/syno/bin:/usr/local/sbin:/usr/local/bin
    LC_ALL=C
    export PATH LC_ALL
    umask 077
    # A process that is started here may stay for an hour, and would keep a caller's lock or pipe.
    exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
    # A connection that breaks ends nothing half-way.
    trap '' HUP PIPE
    cd /
    kernel=$(uname -r)
    case $kernel in
        [12].* | 3.[0-9] | 3.[0-9].*)
            err "this NAS has Linux $kernel, and the programs need 3.10 or newer: it cannot run them" ;;
    esac
    machine=$(uname -m)
    case $machine in
        @PROCESSOR@) ;;
        *) err "this NAS has the processor $machine, and there are programs for @PROCESSORS@ alone" ;;
    esac
    stale_stages
    stage=$STAGES.$$
    mkdir "$stage" || err "$stage could not be made; nothing was changed"
    if ! tar -xzof - -C "$stage"; then
        rm -rf "$stage"
        err "the package did not arrive as a whole; nothing was changed"
    fi
    if ! version=$("$stage/remotetask" --version 2>&1 </dev/null); then
        rm -rf "$stage"
        err "these programs do not run on this NAS ($machine, Linux $kernel): $version"
    fi
    # It removes the folder that it was started from when it ends.
    exec "$stage/remotetask" "$@" </dev/null
}

# Removes what processes that are no more have left. One with this shell's own number was an earlier one's.
stale_stages() {
    local left number
    for left in "$STAGES".*; do
        number=${left##*.}
        if [ "$number" = $$ ] || [ ! -d "/proc/$number" ]; then rm -rf "$left"; fi
    done
}

main "$@"
