#!/bin/sh
# Remote task starter: the half of its installer that runs on the NAS, as root.
#
# Everything is a function and main comes last, so that half a file does nothing.
set -eu

usage() {
    cat <<'END'
Usage: nas.sh setup [--port | --vhost | --php]
       nas.sh repair
       nas.sh uninstall [--keep-config]
       nas.sh tasks LIST [--qr]
       nas.sh here FILE [--port | --vhost | --php] [--tasks LIST] [--url URL] [--config FILE] [--probe ID]
Each of them but tasks, with --dry-run, says what it would do, and changes nothing.

  setup        installs the package that this file lies in, or upgrades to it: the programs, the
               rule for sudo, and the way in from the web server. A second time it changes nothing.
               Without one of these three it keeps the way in that is there, or takes the best that
               this box has.
    --port     a port of Apache's own, as config.json says (listen, port).
    --vhost    a folder below the share web, for a virtual host of Web Station's with Apache.
    --php      the same for a virtual host with PHP: for boxes whose Apache runs no programs, or that
               have nginx alone.
  repair       puts back what an update of DSM may have taken. DSM's boot calls it as: nas.sh start
  uninstall    takes everything away again.
    --keep-config    but config.json, keys.json and start.html.
  tasks        gives these tasks of DSM's Task Scheduler a URL, and shows it: numbers or names, "7,Check off"
  here         the same as setup, from a task of the Task Scheduler, and all that follows: a proof, and
               the URLs on a page beside FILE, which is deleted once it was opened.
    --tasks    tasks that get a URL
    --url      where the NAS is reached, such as https://nas.example.org
    --config   your configuration; plain keys in it become digests
    --probe    a harmless scheduled task, to find out which way starts one on this box
END
}

FOLDER=/usr/local/remotetask
# Where packages are unpacked; behind it a dot and the number of the process that does.
STAGES=/usr/local/remotetask.new
LOCK=/usr/local/remotetask.lock
PROGRAMS="remotetask-keep remotetask-run remotetask-cgi remotetask"
TEXTS="webstation/sudoers webstation/remotetask.conf webstation/.htaccess
    webstation/php/index.php webstation/php/.htaccess webstation/php/nginx.conf"
RULE=/etc/sudoers.d/remotetask
SITES=/usr/local/etc/apache24/sites-enabled
DROP_IN=$SITES/remotetask.conf
UNPROVED=$FOLDER/webstation/unproved
LINK=/usr/local/bin/remotetask
BOOT=/usr/local/etc/rc.d/remotetask.sh
APACHE_CONF=/var/packages/Apache2.4/target/usr/local/etc/apache24/conf/httpd24.conf
APACHE_LOG=/var/log/httpd/apache24-error_log

# Who has hung up is not written to, and that is no reason to stop half-way.
say() { printf '%s\n' "$@" || :; }
err() { printf 'nas.sh: %s\n' "$*" >&2 || :; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

changes=0
did() {
    changes=$((changes + 1))
    if [ "$dry" = yes ]; then say "  to do  $*"; else say "  done   $*"; fi
}
# What changes something, and is left out by a dry run.
act() { [ "$dry" = yes ] || "$@"; }
faults=0
fault() { faults=$((faults + 1)); say "  fault  $*"; }

main() {
    # Not the caller's: DSM's sudo hands on what it finds.
    PATH=/sbin:/bin:/usr/sbin:/usr/bin:/usr/syno/sbin:/usr/syno/bin:/usr/local/sbin:/usr/local/bin
    LC_ALL=C
    export PATH LC_ALL
    # What it starts may stay for an hour, and a caller's lock or pipe with it.
    exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
    umask 077
    own=$(cd "$(dirname "$0")" && pwd -P)
    trap finish EXIT
    case $own in
        "$STAGES".*) stage=$own ;;
    esac
    order=${1:-}
    [ $# = 0 ] || shift
    way='' keep=no dry=no texts=$FOLDER tasks='' url='' config='' probe='' qr=''
    case $order in
        setup | repair | start | uninstall) ;;
        here)
            [ $# -gt 0 ] || wrong 'file'
            beside=$1
            shift ;;
        tasks)
            [ $# -gt 0 ] || wrong 'list'
            tasks=$1
            shift ;;
        --help | -h) usage; exit 0 ;;
        *) wrong "$order" ;;
    esac
    while [ $# -gt 0 ]; do
        case $order$1 in
            setup--port | here--port) way=port ;;
            setup--vhost | here--vhost) way=vhost ;;
            setup--php | here--php) way=php ;;
            here--tasks | here--url | here--config | here--probe)
                [ $# -gt 1 ] || wrong "word behind $1"
                case $1 in
                    --tasks) tasks=$2 ;;
                    --url) url=$2 ;;
                    --config) config=$2 ;;
                    --probe) probe=$2 ;;
                esac
                shift ;;
            uninstall--keep-config) keep=yes ;;
            tasks--qr) qr=$1 ;;
            start--dry-run | tasks--dry-run) wrong "$1" ;;
            *--dry-run) dry=yes ;;
            *) wrong "$1" ;;
        esac
        shift
    done
    [ "$(id -u)" = 0 ] || err "this needs root: type the same again with sudo in front of it"

    trap 'exit 130' INT
    trap 'exit 143' TERM
    # A connection that breaks ends nothing half-way.
    trap '' HUP PIPE
    cd /
    alone
    case $order in
        setup) setup ;;
        here) here ;;
        tasks) show=yes; give "$tasks" ;;
        uninstall) uninstall ;;
        *) repair ;;
    esac
    [ "$faults" = 0 ]
}

wrong() {
    usage >&2
    case $1 in
        '') ;;
        *://* | */*) printf '\nnas.sh: there is a word here that belongs to no option\n' >&2 ;; # it may be a secret URL
        *) printf '\nnas.sh: there is no %s here\n' "$1" >&2 ;;
    esac
    exit 2
}

# What is begun and not finished is taken back.
undo='' stage=''
finish() {
    code=$?
    trap - EXIT
    trap '' INT TERM
    [ -z "$undo" ] || "$undo"
    [ -z "$stage" ] || rm -rf "$stage"
    if [ "$locked" = no ]; then exit "$code"; fi
    if [ "$order" = setup ] || [ "$order" = here ]; then
        for name in $PROGRAMS nas.sh $TEXTS; do act rm -f "$FOLDER/$name.new"; done
    fi
    act rm -f "$RULE.new" "$DROP_IN.new" "$BOOT.new"
    [ "$(readlink "$LOCK")" != "$mine" ] || rm -f "$LOCK"
    exit "$code"
}

# One at a time: after a connection that broke the first one still goes on, while its owner types the
# same again. Making a link is one step, and its text says whose it is.
locked=no
alone() {
    mine=$$-$(started $$)
    tries=0 stale=no
    while :; do
        if ln -s "$mine" "$LOCK" 2>/dev/null; then
            # Of two that found the same stale one, the second may have removed the first one's.
            if [ "$stale" = no ]; then break; fi
            sleep 1
            if [ "$(readlink "$LOCK")" = "$mine" ]; then break; fi
        fi
        holder=$(readlink "$LOCK") || holder=''
        if [ -n "$holder" ] && [ "${holder#*-}" != "$(started "${holder%%-*}")" ]; then
            # Its process is no more. What was moved away by mistake, for another was faster, goes back.
            stale=yes
            if mv "$LOCK" "$LOCK.$$" 2>/dev/null; then
                moved=$(readlink "$LOCK.$$") || moved=$holder
                rm -f "$LOCK.$$"
                [ "$moved" = "$holder" ] || ln -s "$moved" "$LOCK" 2>/dev/null || :
            fi
        elif [ "$tries" = 60 ]; then
            err "$LOCK could not be made; is another nas.sh at work (process ${holder%%-*})? Run this again when it has ended"
        else
            [ "$tries" != 0 ] || [ -z "$holder" ] || say "Another nas.sh is at work here (process ${holder%%-*}); waiting for its end ..."
            sleep 1
        fi
        tries=$((tries + 1))
    done
    locked=yes
    for left in "$STAGES" "$STAGES".*; do
        if [ "$left" != "$stage" ] && [ ! -d "/proc/${left##*.}" ]; then act rm -rf "$left"; fi
    done
}

# When a process started (proc(5), field 22): its number alone is used anew one day.
started() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20; }

setup() {
    look
    stage
    # An empty one is nothing to upgrade.
    act rmdir "$FOLDER" 2>/dev/null || :
    [ "$dry" = no ] || texts=$stage
    if [ -n "$(ls -A "$FOLDER" 2>/dev/null)" ]; then upgrade; else fresh; fi
    surroundings
    if [ "$dry" = yes ]; then
        nothing_was_changed
    elif [ "$faults" != 0 ]; then
        say "The programs are there, and something would not work yet: see above, and run this again."
    elif [ "$changes" = 0 ]; then
        say "Everything was as it should be; nothing was changed."
    else
        say "Everything is in its place."
    fi
}

# From a task of the Task Scheduler, where nobody can be asked and the words are kept: no URL is among them.
here() {
    case $config in
        '' | /*) ;;
        *) err "--config wants a whole path, such as /volume1/homes/anna/config.json" ;;
    esac
    if [ -n "$config" ] && [ -e "$FOLDER/config.json" ]; then
        say "There is a configuration on this NAS already, and it stays; --config is for a first one."
        config=''
    fi
    setup
    if [ "$dry" = yes ]; then
        [ -z "$tasks" ] || say "And these tasks would get a URL: $tasks"
        return 0
    fi
    [ "$faults" = 0 ] || return 0
    say ""
    show=no
    pending=''
    give "$tasks"
    proof
    if [ -n "$probe" ]; then
        say ""
        "$FOLDER/remotetask" probe "$probe" --yes </dev/null || fault "it was not found out which way starts task $probe: see above"
    fi
    page
    say ""
    if [ -n "$pending" ] || [ "$faults" != 0 ]; then
        say "Not done yet: see above. When you have your URLs, delete $beside and this task."
    else
        say "Now delete $beside and this task: who could change that file would be root with its next run."
    fi
    say "" "After an update of DSM its boot puts back what the update took. Should yours not do that, make a task for it:" \
        "Task Scheduler, Create, Triggered Task, User-defined script; user root, event Boot-up, and the script" \
        "    /bin/sh $FOLDER/nas.sh repair"
}

# give LIST: each of these tasks gets a URL; which has one keeps it.
give() {
    # Words between commas.
    IFS_before=$IFS
    IFS=,
    set -f
    # shellcheck disable=SC2086
    set -- $1
    set +f
    IFS=$IFS_before
    for task; do
        task=$(printf '%s' "$task" | sed 's/^ *//; s/ *$//')
        case $task in
            '') continue ;;
            -*)
                fault "the Task Scheduler has no task \"$task\""
                continue ;;
        esac
        # shellcheck disable=SC2086 # a word or none
        if why=$("$FOLDER/remotetask" tasks add $qr "$task" 2>&1 </dev/null); then
            if [ "$show" = yes ]; then say "$why"; else did "task $task has a URL"; fi
        else
            case $why in
                *'there is a task'*)
                    [ "$show" = no ] || say "Task $task has its URL already: sudo remotetask url $task" ;;
                *) fault "$(told "$why")" ;;
            esac
        fi
    done
}

proof() {
    way=$(cat "$FOLDER/webstation/way")
    if [ "$way" = port ]; then
        say "The proof, on this NAS itself:"
        "$FOLDER/remotetask" prove </dev/null || { fault "a request does not come all the way: see above"; return 0; }
    elif [ -z "$url" ]; then
        pending=url
        say "When Web Station is set up, write --url https://that-name behind the line of this task, and run it again."
    fi
    [ -n "$url" ] || return 0
    if ! why=$("$FOLDER/remotetask" url --at "$url" 2>&1 >/dev/null); then
        fault "--url: $(told "$why")"
        return 0
    fi
    say "The proof, by that address:"
    "$FOLDER/remotetask" prove --url "$url" </dev/null ||
        fault "a request by that address does not come all the way: see above. Where it works from outside all the same, your router does not let the NAS reach its own address, and nothing is wrong"
}

# The URLs, where whoever has no shell can see them.
page() {
    if ! page=$("$FOLDER/remotetask" url --page "$beside" 2>&1); then
        if [ -n "$tasks" ]; then
            fault "the page with your URLs could not be written: $(told "$page")"
            return 0
        fi
        pending=tasks
        say ""
        "$FOLDER/remotetask" tasks </dev/null
        say "" "Choose the tasks that get a URL, write them behind the line of this task, such as --tasks \"7,Check off\"," \
            "and run it again."
        return 0
    fi
    say "" "Your URLs stand in $page: open it in File Station." \
        "A minute after that, or in an hour, it is deleted. Have you missed it? Run this task again."
}

# Pages with URLs whose own keepers could not take them away, for the NAS was switched off.
no_pages() {
    [ -x "$FOLDER/remotetask" ] || return 0
    [ "$dry" = no ] || return 0
    why=$("$FOLDER/remotetask" forget-pages 2>&1) || say "  advice $(told "$why")"
}

repair() {
    [ -e "$FOLDER/remotetask-run" ] || err "there is nothing to repair: $FOLDER/remotetask-run is not there"
    for name in $PROGRAMS nas.sh $TEXTS; do
        [ -s "$FOLDER/$name" ] || err "this installation is not complete, $FOLDER/$name is missing: install it again, your configuration stays"
    done
    look
    modes "$FOLDER"
    surroundings
    no_pages
    if [ "$dry" = yes ]; then
        nothing_was_changed
    elif [ "$faults" = 0 ] && [ "$changes" = 0 ]; then
        say "Everything was as it should be; nothing was changed."
    fi
}

nothing_was_changed() {
    if [ "$faults" = 0 ] && [ "$changes" = 0 ]; then
        say "Everything is as it should be; there is nothing to do."
    else
        say "Nothing was changed."
    fi
}

surroundings() {
    sudo_rule
    link
    boot
    web
    passage
    # What a proof that was cut off has left.
    if grep -q '"canary-' "$FOLDER/config.json" 2>/dev/null; then
        act "$FOLDER/remotetask" prove --clean || fault "what a proof has left in config.json could not be taken out"
    fi
}

# What this box must have, before anything is changed.
look() {
    kernel=$(uname -r)
    case $kernel in
        [12].* | 3.[0-9] | 3.[0-9].*)
            err "this box has Linux $kernel, and the programs need 3.10 or newer: it cannot run them" ;;
    esac
    { grep -q '^http:' /etc/passwd && grep -q '^http:' /etc/group; } ||
        err "this NAS has no user and group http, which web servers run as: install Web Station in DSM's Package Center, then run this again"
    case $order in
        setup | here)
            if [ "$way" != php ] && [ ! -e "$FOLDER/webstation/way" ] && ! find_apache && [ -z "$(php_package)" ]; then
                err "this NAS has no Apache 2.4: install \"Apache HTTP Server 2.4\" in DSM's Package Center, then run this again"
            fi ;;
    esac
    [ -x /usr/bin/sudo ] ||
        err "there is no /usr/bin/sudo, the web server's way to root: this DSM cannot run the remote task starter"
    if [ -L "$FOLDER" ] || { [ -e "$FOLDER" ] && [ ! -d "$FOLDER" ]; }; then
        err "$FOLDER is there and no folder: see what it is, move it away, then run this again"
    fi
    if [ -d "$FOLDER" ]; then
        [ -n "$(find "$FOLDER" -prune -user 0)" ] ||
            err "$FOLDER does not belong to root: see whose it is, move it away, then run this again"
    fi
}

# own PATH USER:GROUP MODE: whether it was so already.
own() {
    [ -z "$(find "$1" -prune -user "${2%:*}" -group "${2#*:}" -perm "$3" 2>/dev/null)" ] || return 0
    act chown "$2" "$1" || err "$1 could not be given to $2"
    act chmod "$3" "$1" || err "$1 could not be given the mode $3"
    return 1
}

# A complete package in a folder that root alone can enter.
stage() {
    if [ -z "$stage" ]; then
        [ "$own" != "$FOLDER" ] || err "this is the installation itself: setup is for an unpacked package, repair for this"
        stage=$STAGES.$$
        mkdir -m 0700 "$stage" "$stage/webstation" "$stage/webstation/php" || err "$stage could not be made"
        for name in $PROGRAMS nas.sh $TEXTS; do
            cp "$own/$name" "$stage/$name" || err "this package is not complete: $name"
        done
        [ ! -e "$own/config.json" ] || cp "$own/config.json" "$stage/config.json"
    fi
    if [ -n "$config" ]; then
        { [ -f "$config" ] && cp "$config" "$stage/config.json" 2>/dev/null; } || err "$config could not be read: is the path right?"
    fi
    for name in $PROGRAMS nas.sh $TEXTS; do
        [ -s "$stage/$name" ] || err "this package is not complete: $name is missing"
    done
    chmod 0700 "$stage/remotetask"
    version=$("$stage/remotetask" --version 2>&1) ||
        err "these programs do not run on this box ($(uname -m), Linux $kernel): $version"
    if [ -e "$stage/config.json" ]; then
        [ ! -e "$FOLDER/config.json" ] ||
            err "there is a configuration already, $FOLDER/config.json: move it away if yours is to take its place, then run this again"
        said=$("$stage/remotetask" seal 2>&1) || err "your configuration is refused: $said"
        case $said in
            *published*)
                err "your configuration has a key in it that stands in a published example: take one that nobody knows, then run this again" ;;
        esac
        [ "$dry" = yes ] || say "$said"
        did "config.json is yours, with digests in place of plain keys"
    fi
}

fresh() {
    if [ "$dry" = yes ]; then
        did "$version is installed in $FOLDER"
        return 0
    fi
    modes "$stage" >/dev/null
    # What the disk does not have yet would be an empty file after a power cut.
    sync
    mv "$stage" "$FOLDER" || err "$stage could not become $FOLDER"
    did "$version is installed in $FOLDER"
}

# config.json, keys.json, log.txt and state/ stay. A run that goes on keeps the program that it has.
upgrade() {
    for name in $PROGRAMS nas.sh $TEXTS; do
        place "$name"
    done
    if [ -e "$stage/config.json" ]; then
        # Those of a configuration that was moved away, which may come back.
        if [ -e "$FOLDER/keys.json" ]; then
            old=keys.json.old number=1
            while [ -e "$FOLDER/$old" ]; do
                number=$((number + 1))
                old=keys.json.old.$number
            done
            act mv "$FOLDER/keys.json" "$FOLDER/$old"
            did "the keys that were there are in $old now: delete it when nobody needs them"
        fi
        for name in keys.json config.json; do
            [ ! -e "$stage/$name" ] || place "$name"
        done
    fi
    modes "$FOLDER"
}

# Beside the old one, then renamed over it: there is no moment without a whole one.
place() {
    cmp -s "$stage/$1" "$FOLDER/$1" && return
    if [ "$dry" = yes ]; then
        did "$1 is new"
        return 0
    fi
    for name in webstation webstation/php; do
        [ -d "$FOLDER/$name" ] || mkdir -m 0755 "$FOLDER/$name"
    done
    rm -f "$FOLDER/$1.new"
    cp "$stage/$1" "$FOLDER/$1.new" || { rm -f "$FOLDER/$1.new"; err "$FOLDER/$1 stays as it is: there is no space for a new one"; }
    owner_and_mode "$FOLDER/$1.new" "$1" || :
    sync
    mv -f "$FOLDER/$1.new" "$FOLDER/$1" || err "$FOLDER/$1 stays as it is"
    did "$1 is new"
}

# modes FOLDER: each file's owner and mode. What it says is what was not so.
modes() {
    [ -d "$1/state" ] || act mkdir "$1/state"
    if [ ! -e "$1/log.txt" ] && [ "$dry" = no ]; then
        : >"$1/log.txt"
        owner_and_mode "$1/log.txt" log.txt || :
    fi
    for name in $PROGRAMS nas.sh webstation webstation/php $TEXTS webstation/way webstation/made config.json keys.json log.txt state scripts; do
        [ -e "$1/$name" ] || continue
        [ ! -L "$1/$name" ] || err "$1/$name is a link, and must not be one"
        owner_and_mode "$1/$name" "$name" || did "$1/$name has its owner and mode again"
    done
    own "$1" 0:0 0755 || did "$1 has its owner and mode again"
}

# owner_and_mode PATH NAME: whether nothing had to be changed.
owner_and_mode() {
    case $2 in
        remotetask-cgi | scripts) own "$1" 0:0 0711 ;; # unreadable: the kernel keeps its environment from other processes of http
        remotetask-run | remotetask-keep | state) own "$1" 0:0 0700 ;;
        config.json) own "$1" 0:http 0640 ;;
        keys.json) own "$1" 0:0 0600 ;;
        log.txt) own "$1" http:http 0640 ;;
        webstation/php) own "$1" 0:0 0755 ;;
        webstation/*) own "$1" 0:0 0644 ;;
        *) own "$1" 0:0 0755 ;;
    esac
}

# folder PATH: with what is missing above it. What is made here goes with the rest.
folder() {
    if [ -d "$1" ] || [ "$dry" = yes ]; then return 0; fi
    folder "$(dirname "$1")"
    mkdir -m 0755 "$1" || err "$1 could not be made"
    printf '%s\n' "$1" >>"$FOLDER/webstation/made"
    chmod 0644 "$FOLDER/webstation/made"
}

# put FILE TEXT MODE: written beside and renamed; whether it was so already.
put() {
    # Of somebody else's file that one may still have hold.
    if [ -f "$1" ] && [ ! -L "$1" ] && [ -n "$(find "$1" -prune -user 0)" ] && printf '%s\n' "$2" | cmp -s - "$1"; then
        own "$1" 0:0 "$3"
        return
    fi
    if [ -d "$1" ] && [ ! -L "$1" ]; then err "$1 is a folder: see what it is, move it away, then run this again"; fi
    [ "$dry" = no ] || return 1
    rm -f "$1.new" 2>/dev/null || :
    printf '%s\n' "$2" >"$1.new" || err "$1.new could not be written: see what is in its way, move that away, then run this again"
    chmod "$3" "$1.new"
    mv -f "$1.new" "$1" || err "$1 could not be written"
    return 1
}

# The rule for sudo goes in under a name that sudo skips, and takes its place only to be proved there.
sudo_rule() {
    if [ ! -d /etc/sudoers.d ]; then
        act mkdir -m 0755 /etc/sudoers.d || err "/etc/sudoers.d could not be made"
        did "/etc/sudoers.d is there again"
    fi
    act rm -f "$RULE.new" "$RULE.old"
    if [ -f "$RULE" ] && cmp -s "$texts/webstation/sudoers" "$RULE" && [ -n "$(find "$RULE" -prune -user 0 -group 0 -perm 0440)" ]; then
        why=$(rule_is_wrong) || return 0
        # A run that was killed before its proof may have left it.
        case $why in
            "root's own sudo"*)
                act rm -f "$RULE"
                why="$why; the rule was taken out again" ;;
        esac
        fault "$why"
        return 0
    fi
    if [ "$dry" = yes ]; then
        did "sudo lets the web server's user start remotetask-run, and nothing else"
        return 0
    fi
    cat "$texts/webstation/sudoers" >"$RULE.new" || err "$RULE could not be written"
    own "$RULE.new" 0:0 0440 || :
    if have visudo && ! why=$(visudo -cf "$RULE.new" 2>&1); then
        rm -f "$RULE.new"
        fault "sudo's own checker refuses the rule, which was not put in place: $why"
        return 0
    fi
    [ ! -e "$RULE" ] || cp -p "$RULE" "$RULE.old"
    undo=take_rule_back
    mv -f "$RULE.new" "$RULE" || err "$RULE could not be written"
    if why=$(rule_is_wrong); then
        take_rule_back
        fault "$why; the rule was taken out again"
    else
        undo=''
        rm -f "$RULE.old"
        did "sudo lets the web server's user start remotetask-run, and nothing else"
    fi
}

take_rule_back() {
    undo=''
    if [ -e "$RULE.old" ]; then mv -f "$RULE.old" "$RULE"; else rm -f "$RULE"; fi
}

# Whether sudo takes it for anything but what it should be; why.
rule_is_wrong() {
    if ! why=$(sudo -n true 2>&1); then
        say "root's own sudo does not work with the rule: $(first "$why")"
        return 0
    fi
    if ! why=$(sudo -n -l -U http 2>&1); then
        say "sudo does not say what http may do: $(first "$why")"
        return 0
    fi
    # Rules are indented by four; what goes on from the line above, by more.
    rules=$(say "$why" | awk '
        /^User .* may run/ { inside = 1; next }
        inside && /^    [^ ]/ { if (rule != "") print rule; sub(/^ +/, ""); rule = $0; next }
        inside && /^     / { sub(/^ +/, " "); rule = rule $0 }
        END { if (rule != "") print rule }')
    ours=$(say "$rules" | grep -c "^(root) .*NOPASSWD:.* $FOLDER/remotetask-run \"\"\$") || :
    others=$(say "$rules" | grep -v "^(root) .*NOPASSWD:.* $FOLDER/remotetask-run \"\"\$" | tr '\n' ';' | sed 's/;*$//; s/;/; /g') || :
    if [ -n "$others" ]; then
        where=$(cd /etc/sudoers.d && grep -lE '^(http|%http|ALL)[[:space:],]' ./* 2>/dev/null | sed 's|^\./||' |
            grep -v -e '^remotetask$' -e '\.' -e '~$' | tr '\n' ' ' | sed 's/ $//') || :
        [ -z "$where" ] || where=" (see /etc/sudoers.d/$where)"
        say "sudo has another rule for http, which every web application runs as$where: $others. Take it out, then run this again"
    elif [ "$ours" != 1 ]; then
        if grep -Eq '^[#@]includedir[[:space:]]+"?/etc/sudoers.d' /etc/sudoers; then
            say "sudo does not take the rule in $RULE ($(first "$why"))"
        else
            say "/etc/sudoers does not say that /etc/sudoers.d is to be read: add the line '#includedir /etc/sudoers.d' at its end, then run this again"
        fi
    else
        return 1
    fi
}

# What remotetask says, as one line.
told() { printf '%s' "${1#remotetask: }" | tr '\n' ' '; }

# The first line, without whose words they are.
first() { printf '%s\n' "$1" | sed -n 's/^[a-z]*: //; /./{p;q;}'; }

link() {
    [ "$(readlink "$LINK")" != "$FOLDER/remotetask" ] || return 0
    if [ -e "$LINK" ] && [ ! -L "$LINK" ]; then
        fault "$LINK is something else; move it away, then run this again"
        return 0
    fi
    folder "${LINK%/*}"
    act rm -f "$LINK"
    act ln -s "$FOLDER/remotetask" "$LINK" || err "$LINK could not be made"
    did "a shell knows the name remotetask"
}

boot() {
    folder "${BOOT%/*}"
    put "$BOOT" "#!/bin/sh
# Remote task starter: puts back at boot what an update of DSM may have taken.
[ \"\${1:-}\" != start ] || exec /bin/sh $FOLDER/nas.sh start" 0755 || did "DSM's boot repairs what an update takes ($BOOT)"
}

# The way in from the web server: as told, as last time, or the best that this box has. An old way
# stays until the new one is there.
web() {
    last=$(cat "$FOLDER/webstation/way" 2>/dev/null) || :
    [ -n "$way" ] || way=$last
    [ -n "$way" ] || best
    faults_before=$faults
    "$way"
    if [ -n "$last" ] && [ "$last" != "$way" ]; then
        if [ "$faults" != "$faults_before" ]; then
            say "  The way in stays what it was: $last."
            return 0
        fi
        case $way in
            port) no_root ;;
            php) no_drop_in ;;
        esac
    fi
    put "$FOLDER/webstation/way" "$way" 0644 || :
}

# A port first: nothing else shares it, and no URL gets into a log.
best() {
    # Which fault is told, if PHP is not there either, is that of the better way.
    way=port
    if ! find_apache; then
        why="there is no Apache 2.4 here"
    elif ! cgi_module >/dev/null; then
        why="this Apache has no module that runs programs"
    else
        return 0
    fi
    [ -n "$(php_package)" ] || return 0
    way=php
    say "  The way in is by PHP, for $why."
}

# DSM's packages of it have names such as PHP8.2.
php_package() { for package in /var/packages/PHP[78]*; do [ ! -e "$package" ] || say "${package##*/}"; done; }

find_apache() {
    for apache in /usr/local/bin/httpd24 /var/packages/Apache2.4/target/usr/local/bin/httpd24; do
        [ ! -x "$apache" ] || return 0
    done
    return 1
}

# Whether Apache would start again. A fault of ours is set aside, to be written anew.
apache_is_sound() {
    act rm -f "$DROP_IN.bad"
    ! why=$("$apache" -t 2>&1) || return 0
    if [ -e "$DROP_IN" ] && [ "$dry" = no ]; then
        mv -f "$DROP_IN" "$DROP_IN.bad"
        ! "$apache" -t >/dev/null 2>&1 || return 0
        mv -f "$DROP_IN.bad" "$DROP_IN"
    fi
    fault "Apache finds a fault in its own files, and would not start again: $(apache_says "$why"). Mend that, then run this again"
    return 1
}

# What Apache reads, one file a line; nothing where it is too old to tell.
apache_files() { "$apache" -t -D DUMP_INCLUDES 2>/dev/null | sed -n 's/^ *([^)]*) //p'; }

# The first word of a directive in what Apache reads; $2: which word.
directive() {
    files=$(apache_files)
    say "${files:-$APACHE_CONF}" | while read -r file; do
        sed -n "s/^[[:space:]]*$1[[:space:]]\{1,\}//p" "$file" 2>/dev/null
    done | awk -v at="$2" 'NR == 1 { gsub(/"/, "", $at); print $at }'
}

port() {
    if ! find_apache; then
        fault "there is no Apache 2.4 on this NAS: install \"Apache HTTP Server 2.4\" in DSM's Package Center, then run this again"
        return 0
    fi
    apache_is_sound || return 0
    if ! module=$(cgi_module); then
        fault "this Apache cannot run programs, for it has neither mod_cgid nor mod_cgi: install PHP 8.2 in DSM's Package Center, then run this again with --php"
        return 0
    fi
    program=$FOLDER/remotetask
    [ -x "$program" ] || program=$texts/remotetask
    if ! listen=$("$program" listens 2>&1); then
        fault "$(printf '%s' "$listen" | tr '\n' ' ')"
        return 0
    fi
    drop_in "Define REMOTETASK_LISTEN $listen
$module
$(cat "$texts/webstation/remotetask.conf")" "$listen" "Apache answers at http://$listen"
}

# drop_in TEXT LISTEN DONE: into Apache's own configuration, where it is proved, or taken out again.
drop_in() {
    listen=$2
    if [ "$dry" = yes ]; then
        put "$DROP_IN" "$1" 0644 || did "$3"
        return 0
    fi
    folder "$SITES"
    # What a run that was killed has put there was never proved; what it had set aside was.
    [ ! -e "$UNPROVED" ] || take_drop_in_back
    rm -f "$DROP_IN.old"
    [ ! -e "$DROP_IN" ] || cp -p "$DROP_IN" "$DROP_IN.old"
    : >"$UNPROVED"
    if put "$DROP_IN" "$1" 0644; then
        rm -f "$DROP_IN.old" "$DROP_IN.bad" "$UNPROVED"
        return 0
    fi
    undo=take_drop_in_back
    if ! why=$("$apache" -t 2>&1); then
        take_drop_in_back
        fault "Apache refuses $DROP_IN, which was taken out again: $(apache_says "$why")"
        return 0
    fi
    files=$(apache_files)
    if [ -n "$files" ] && ! say "$files" | grep -qx "$DROP_IN"; then
        main_file=$(apache_files | head -n 1)
        take_drop_in_back
        fault "Apache does not read $SITES: add the line 'IncludeOptional $SITES/*.conf' at the end of $main_file, then run this again"
        return 0
    fi
    if ! why=$(restart_apache 2>&1); then
        take_drop_in_back
        restart_apache >/dev/null 2>&1 || :
        fault "Apache did not start with $DROP_IN, which was taken out again: $(apache_says "$why")"
        return 0
    fi
    code=200
    [ -z "$listen" ] || code=$(answered "$listen")
    if [ "$code" = 000 ]; then
        why=$(tail -n 1 "$APACHE_LOG" 2>/dev/null) || :
        take_drop_in_back
        restart_apache >/dev/null 2>&1 || :
        fault "nothing answered at http://$listen within 15 s, so $DROP_IN was taken out again; Apache's log ends with: $why"
        return 0
    fi
    undo=''
    rm -f "$DROP_IN.old" "$DROP_IN.bad" "$UNPROVED"
    [ "$code" = 200 ] ||
        fault "Apache answers at http://$listen with the status $code instead of the start page: sudo tail $APACHE_LOG says why"
    did "$3"
}

take_drop_in_back() {
    undo=''
    if [ -e "$DROP_IN.old" ]; then mv -f "$DROP_IN.old" "$DROP_IN"; else rm -f "$DROP_IN"; fi
    rm -f "$UNPROVED"
}

# Lines that load the module for programs, unless Apache does so by itself. Threads want cgid.
cgi_module() {
    loaded=$("$apache" -M 2>/dev/null) || :
    file=$(directive LoadModule 2)
    case $file in
        /*) ;;
        *) file=$(directive ServerRoot 1)/$file ;;
    esac
    names="cgid cgi"
    case $loaded in *mpm_prefork*) names="cgi cgid" ;; esac
    for name in $names; do
        [ -f "${file%/*}/mod_$name.so" ] || continue
        socket=''
        [ "$name" = cgi ] || socket="
    ScriptSock /var/run/remotetask-cgid.sock"
        say "# This Apache may have its module for programs without loading it." "<IfModule !cgi_module>" "<IfModule !cgid_module>" \
            "    LoadModule ${name}_module \"${file%/*}/mod_$name.so\"$socket" "</IfModule>" "</IfModule>"
        return 0
    done
    runs_programs "$loaded"
}

# runs_programs MODULES: whether one of them, as Apache lists them, does. Behind a blank: there is proxy_fcgi_module.
runs_programs() { case $1 in *' cgi_module'* | *' cgid_module'*) ;; *) return 1 ;; esac; }

# Its words without the time and the place of the log's line.
apache_says() { printf '%s' "$1" | grep -v '^AH00558' | tr '\n' ' ' | sed 's/ *$//'; }

restart_apache() {
    if have synosystemctl; then
        synosystemctl restart pkgctl-Apache2.4
    elif have synoservice; then
        synoservice --restart pkgctl-Apache2.4
    else
        echo "there is neither synosystemctl nor synoservice to restart it with"
        return 1
    fi
}

# answered LISTEN: the status that comes, 000 if none does.
answered() {
    case $1 in
        0.0.0.0:*) at=127.0.0.1:${1##*:} ;;
        '[::]:'*) at="[::1]:${1##*:}" ;;
        *) at=$1 ;;
    esac
    tries=0
    while :; do
        code=$(curl -q -s -g -o /dev/null --noproxy '*' --max-time 5 -w '%{http_code}' "http://$at/") || code=000
        tries=$((tries + 1))
        if [ "$code" != 000 ] || [ "$tries" = 15 ]; then break; fi
        sleep 1
    done
    say "$code"
}

no_drop_in() {
    act rm -f "$DROP_IN.old" "$DROP_IN.bad" "$UNPROVED"
    [ -e "$DROP_IN" ] || return 0
    act rm -f "$DROP_IN"
    if [ "$dry" = no ] && find_apache; then
        restart_apache >/dev/null 2>&1 || say "  advice Apache could not be restarted, and serves the old way in until it is"
    fi
    did "Apache reads nothing of ours any more"
}

# The share web, as it really lies on its volume.
web_share() {
    for share in /var/services/web /volume*/web; do
        if [ -d "$share" ]; then
            (cd "$share" && pwd -P)
            return 0
        fi
    done
    return 1
}

# Into this folder itself, by no link, and to stay in it: whoever may write the share, the web server's
# user perhaps, may put something else in its place at any moment.
enter() {
    if cd "$1" 2>/dev/null && [ "$(pwd -P)" = "$1" ]; then return 0; fi
    cd /
    return 1
}

# Apache with a virtual host. What runs programs is the server's own to load: no .htaccess can.
vhost() {
    loads=no
    if find_apache; then
        apache_is_sound || return 0
        if ! module=$(cgi_module); then
            fault "this Apache has no module that runs programs: take the way by PHP, --php"
            return 0
        fi
        runs_programs "$("$apache" -M 2>/dev/null)" || loads=yes
        # Once ours loads it, that it is loaded says nothing.
        [ ! -e "$DROP_IN" ] || loads=yes
        [ "$loads" = yes ] || act rm -f "$DROP_IN.bad"
    fi
    document_root .htaccess || return 0
    # Last, for it may have been the old way in.
    [ "$loads" = no ] || drop_in "$module" '' "Apache loads what runs programs, and has no port of its own for it"
    clicks \
        "Package Center: install \"Web Station\" and \"Apache HTTP Server 2.4\", if they are not there." \
        "Web Station, Web Service, Create: \"Static website\" or \"Native script language website\";"
}

# A virtual host with PHP, whose page hands each request to the program.
php() {
    document_root php/.htaccess php/index.php || return 0
    [ -n "$(php_package)" ] || say "  advice there is no PHP here yet: install PHP 8.2, or 7.4 at least, in DSM's Package Center"
    clicks \
        "Web Station, Script Language Settings, PHP, Create: a profile that nothing else uses, PHP 7.4 or newer." \
        "Web Station, Web Service, Create: \"Native script language website\", PHP, that profile;"
}

# document_root FILE ...: the folder for a virtual host has these files of ours, and no others of ours.
document_root() {
    if ! root=$(web_share); then
        fault "there is no shared folder web: open Web Station once, which makes it, then run this again"
        return 1
    fi
    root=$root/remotetask
    new=no foreign=no
    if [ "$dry" = yes ] && [ ! -e "$root" ] && [ ! -L "$root" ]; then
        did "$root is laid out"
        return 0
    fi
    ! act mkdir -m 0755 "$root" 2>/dev/null || [ "$dry" = yes ] || new=yes
    if ! enter "$root"; then
        fault "$root is there and no folder: move it away, then run this again"
        return 1
    fi
    # Whatever else lies there is somebody's, and becomes neither ours nor readable for all. In a folder that is not
    # root's nothing is read, for it may be another thing by then.
    if [ -n "$(find . -prune -user 0)" ]; then
        others=$(find . ! -name . -prune ! -name .htaccess ! -name index.php ! -name remotetask.cgi -print)
        all_ours && { [ -z "$others" ] || ours .htaccess; } || foreign=yes
    else
        others=$(find . ! -name . -prune '(' ! -user 0 -o ! -name .htaccess ! -name index.php ! -name remotetask.cgi ')' -print)
        [ -z "$others" ] || foreign=yes
    fi
    if [ "$foreign" = yes ]; then
        cd /
        fault "$root has something in it that is not ours: see what it is, move it away, then run this again"
        return 1
    fi
    own . 0:0 0755 || new=yes
    link=yes
    for name in "$@"; do
        put "${name##*/}" "$(cat "$texts/webstation/$name")" 0644 || new=yes
        [ "$name" != php/index.php ] || link=no
    done
    if [ "$link" = no ]; then
        [ ! -L remotetask.cgi ] || act rm -f remotetask.cgi
    else
        ! ours index.php || act rm -f index.php
        if [ "$(readlink remotetask.cgi)" != "$FOLDER/remotetask-cgi" ]; then
            { act rm -f remotetask.cgi && act ln -s "$FOLDER/remotetask-cgi" remotetask.cgi; } ||
                err "$root/remotetask.cgi could not be made: see what is there, move it away, then run this again"
            new=yes
        fi
    fi
    cd /
    [ "$new" = no ] || did "$root is laid out"
}

# Whether what we would write over in this folder is ours.
all_ours() {
    { [ ! -e .htaccess ] && [ ! -L .htaccess ] || ours .htaccess; } &&
        { [ ! -e index.php ] && [ ! -L index.php ] || ours index.php; } &&
        { [ -L remotetask.cgi ] || [ ! -e remotetask.cgi ]; }
}

# Our text, and not one of the owner's. What is no file may keep its reader waiting.
ours() { [ ! -L "$1" ] && [ -f "$1" ] && grep -q -e remotetask-cgi -e '^# Remote task starter' "$1"; }

# clicks FIRST SECOND: what only the owner can do, in Web Station's page.
clicks() {
    if [ "$dry" = yes ] || [ "$order" = repair ] || [ "$order" = start ]; then return 0; fi
    then="Then: sudo remotetask prove --url https://that-name"
    [ "$order" != here ] || then="Then write --url https://that-name behind the line of this task, and run it again."
    if find_apache; then
        server="Apache HTTP Server 2.4"
        nginx=''
    else
        server="Nginx"
        nginx="
     Then one file more, for nginx: docs/web.md, \"nginx and PHP\", from step 2 on."
    fi
    say "" "Now in DSM, once:" \
        "  1. $1" \
        "  2. $2" \
        "     Document root  web/remotetask     HTTP back-end server  $server" \
        "     (DSM 6: Virtual Host, Create; the same two fields there)$nginx" \
        "  3. Web Station, Web Portal, Create, Service portal: that service; \"Name-based\", the host name that" \
        "     you call it by, HTTPS." \
        "  4. Control Panel, Security, Certificate: one for that name." \
        "$then" ""
}

no_root() {
    root=$(web_share) || return 0
    root=$root/remotetask
    enter "$root" || return 0
    if [ -z "$(find . -prune -user 0)" ]; then
        cd /
        say "  advice $root is not root's any more, and stays: see what is in it"
        return 0
    fi
    if [ ! -L remotetask.cgi ] && ! ours index.php; then
        cd /
        return 0
    fi
    [ ! -L remotetask.cgi ] || act rm -f remotetask.cgi
    ! ours index.php || act rm -f index.php
    ! ours .htaccess || act rm -f .htaccess
    cd /
    act rmdir "$root" 2>/dev/null || say "  advice $root has other files in it, and stays"
    did "the folder for Web Station's virtual host is gone; take the virtual host away in Web Station's page"
}

# As the web server's user, in the way of a request, without a terminal and with a question that holds no keys.
passage() {
    [ -e "$RULE" ] || return 0
    [ -e "$FOLDER/config.json" ] || return 0
    # The program has a time limit for it, for http may stop what runs as http. An older one does not know it.
    code=0
    why=$("$FOLDER/remotetask" passage 2>&1) || code=$?
    [ "$code" = 1 ] || return 0
    case $why in
        *'account validation failure'*)
            fault "sudo refuses http, whose account has expired or stands not in /etc/shadow ($(first "$why")): make it valid again, then run this again" ;;
        *)
            fault "the web server's user does not get through to remotetask-run: $why" ;;
    esac
}

uninstall() {
    no_pages
    # First what leads here, then what it leads to.
    no_drop_in
    no_root
    [ ! -e "$RULE" ] || { act rm -f "$RULE"; did "sudo's rule is gone"; }
    act rm -f "$RULE.new" "$RULE.old"
    [ ! -L "$LINK" ] || { act rm -f "$LINK"; did "the name remotetask is gone"; }
    [ ! -e "$BOOT" ] || { act rm -f "$BOOT"; did "DSM's boot repairs nothing any more"; }
    if [ -e "$FOLDER/webstation/made" ]; then
        # The deepest first; what others have put something into stays.
        sort -r "$FOLDER/webstation/made" | while read -r made; do
            act rmdir "$made" 2>/dev/null || :
        done
    fi
    kept=''
    if [ "$keep" = yes ]; then
        for name in config.json keys.json start.html; do
            [ ! -e "$FOLDER/$name" ] || kept="$kept $name"
        done
    fi
    if [ -n "$kept" ]; then
        for entry in "$FOLDER"/* "$FOLDER"/.[!.]*; do
            case ${entry##*/} in
                config.json | keys.json* | start.html) ;;
                *) act rm -rf "$entry" ;;
            esac
        done
        did "the programs are gone; kept:$kept"
    elif [ -d "$FOLDER" ]; then
        act rm -rf "$FOLDER"
        did "$FOLDER is gone"
    fi
    if [ "$changes" = 0 ]; then
        say "There was nothing to take away."
    elif [ "$dry" = yes ]; then
        nothing_was_changed
    fi
}

main "$@"
