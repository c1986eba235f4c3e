#!/bin/sh
# Remote task starter: installs it on a NAS over SSH, tries it on this machine (installer/try.sh), or packs
# it into one file a processor (installer/pack.sh).
#
# Everything is a function and main comes last, so that half a file does nothing.
# shellcheck disable=SC3043 # `local` is in no standard, but in dash, bash and busybox ash
set -eu

usage() {
    cat <<'END'
Usage: ./install.sh --try [--once]
       ./install.sh [user@]nas [--port | --vhost | --php] [--config FILE]
                    [--tasks 7,9] [--phones home|proxy|vhost|later]
                    [--url URL] [--from DIR] [--dry-run] [--no-wait]
       ./install.sh [user@]nas --uninstall [--keep-config] [--dry-run]
       ./install.sh --pack [PROCESSOR ...] [--from DIR]

  --try       builds the remote task starter, starts it behind a web server of
              its own on http://127.0.0.1:10765, calls the example's secret URL
              once, shows what happened, and serves until Ctrl-C. Nothing
              outside this folder changes, but for the packages that it says it
              installs.
  --once      ends after that call; the exit code is 0 if the task was started.

  [user@]nas  installs it there, as an administrator of DSM, or upgrades it;
              port and key of SSH as ~/.ssh/config has them. The exit code is 0
              if a request came all the way through. Without one of the next
              three it keeps the way in that is there, or takes the best.
  --port      the web server gets a port for it, as config.json says
  --vhost     for a virtual host of Web Station's; it shows what to click, and
              waits for you
  --php       the same with PHP, where Apache runs no programs, or with nginx
              alone
  --config    your configuration; plain keys in it become digests
  --tasks     tasks of DSM's Task Scheduler that get a URL, by number or name,
              such as "7,Check off"
  --phones    how phones reach the NAS; it asks otherwise. home: in your home
              network alone, without https; proxy: by DSM's reverse proxy;
              vhost: by a virtual host of Web Station's; later: not yet
  --url       the address that phones will use, such as
              https://tasks.example.org
  --from      a folder with the four programs for the NAS, or with one such
              folder for each processor, in place of a build
  --dry-run   goes the same way there, says what there is to do, and changes
              nothing
  --no-wait   asks and waits for nothing
  --uninstall takes it away again, with --keep-config all but config.json and
              its keys

  --pack      makes one file a processor, for owners without SSH: File Station
              takes it to the NAS, and a task of DSM's Task Scheduler starts it
              there. x86_64, aarch64, armv7l; without one of them all that this
              Rust can build for. --from: ready programs.
  --help      shows this.
END
}

# The folder that this file lies in.
clone=$(cd "$(dirname "$0")" && pwd -P)
# shellcheck source=installer/try.sh
. "$clone/installer/try.sh"
# shellcheck source=installer/pack.sh
. "$clone/installer/pack.sh"

# The options; way, dry_run and keep are the option itself, or nothing.
once=no nas='' way='' config='' tasks='' phones='' url='' from='' dry=no dry_run='' wait=yes order=install keep=''
# A folder of this run's own, the NAS's processor and kernel, the way to root there (yes, sudo, password), Rust's
# target, and no caller's password, which everything that this starts could read.
work='' machine='' kernel='' root='' target=''
unset password
password=''
# The terminal does not show what is typed.
silent=no
# SSH has a connection, and asks for no password any more.
connected=''

# Sentences, at most 80 columns wide.
say() { show "$@" | wrapped; }
# Lines that stay as they are, because they are there to be copied.
show() { printf '%s\n' "$@"; }
err() {
    if [ -t 2 ]; then show "install.sh: $*" | wrapped >&2; else show "install.sh: $*" >&2; fi
    exit 1
}

# Breaks lines between words at 80 columns. Further lines begin where the text of the first one does.
wrapped() {
    awk '{
        match($0, /^ *([0-9]+\. )?/)
        first = substr($0, 1, RLENGTH)
        begin = first
        gsub(/./, " ", begin)
        count = split(substr($0, RLENGTH + 1), words, " ")
        line = first words[1]
        for (at = 2; at <= count; at++) {
            if (length(line) + 1 + length(words[at]) <= 80) line = line " " words[at]
            else { print line; line = begin words[at] }
        }
        print line
    }'
}

# Of a folder.
whole_path() { (cd "$1" 2>/dev/null && pwd -P) }
have() { command -v "$1" >/dev/null 2>&1; }

main() {
    local try packs words theirs
    try=no packs=no words=''
    while [ $# -gt 0 ]; do
        case $1 in
            --try) try=yes ;;
            --pack) packs=yes ;;
            --once) once=yes ;;
            --port | --vhost | --php) [ "${way:-$1}" = "$1" ] || wrong "$way and $1 exclude each other"; way=$1 ;;
            --config | --tasks | --phones | --url | --from)
                [ $# -gt 1 ] || wrong "$1 wants a word behind it"
                case $1 in
                    --config) config=$2 ;;
                    --tasks) tasks=$2 ;;
                    --phones) phones=$2 ;;
                    --url) url=$2 ;;
                    --from) from=$2 ;;
                esac
                shift ;;
            --dry-run) dry=yes dry_run=$1 ;;
            --no-wait) wait=no ;;
            --uninstall) order=uninstall ;;
            --keep-config) keep=--keep-config ;;
            --help | -h) usage; exit 0 ;;
            -*) wrong "there is no option $1" ;;
            *) words="$words $1" ;;
        esac
        shift
    done
    case $phones in
        '' | home | proxy | vhost | later) ;;
        *) wrong "--phones is home, proxy, vhost or later" ;;
    esac
    { intact "$clone" && { [ -z "$from" ] || intact "$from"; }; } ||
        err "a file of this release is missing, or was changed: unpack its archive again"
    theirs="$way$config$tasks$phones$url$keep"
    [ "$order$dry$wait" = installnoyes ] || theirs="$theirs more"
    if [ "$try" = yes ]; then
        [ "$packs$words$theirs$from" = no ] || wrong "--try goes with --once alone"
        try_here
    elif [ "$packs" = yes ]; then
        [ "$once$theirs" = no ] || wrong "--pack goes with processors and --from alone"
        # shellcheck disable=SC2086 # a list of words
        make_files $words
    else
        nas=${words# }
        case $nas in *' '*) wrong "one NAS at a time:$words" ;; esac
        { [ -n "$nas" ] && [ "$once" = no ]; } || wrong ''
        if [ "$order" = uninstall ]; then
            [ -z "$way$config$tasks$phones$url$from" ] || wrong "--uninstall goes with --keep-config and --dry-run alone"
        else
            [ -z "$keep" ] || wrong "--keep-config goes with --uninstall alone"
        fi
        on_the_nas
    fi
}

# The fault last: what stands above it scrolls away.
wrong() {
    usage >&2
    [ -z "$1" ] || printf '\ninstall.sh: %s\n' "$1" >&2
    exit 2
}

on_the_nas() {
    ready_here
    umask 077
    # Not in TMPDIR: the path of SSH's socket has little room.
    work=$(mktemp -d /tmp/remotetask.XXXXXX)
    trap leave EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    look
    plan
    if [ "$dry" = yes ] && [ "$root" = password ] && ! terminal; then
        say "" "Nothing was changed. What root alone can see there is not known: sudo on $nas asks for a password, and there is no terminal here to ask you at."
        return
    fi
    [ "$order" = install ] || { become_root; uninstall; return; }
    [ -n "$from" ] || choose_target "$machine" || err "$(no_target_for "$machine")"
    pack "$machine" "$work/package.tar.gz"
    become_root
    send
    [ "$dry" = no ] || return 0
    first_tasks
    prove
}

# All that can be known here, before anybody is connected to or asked.
ready_here() {
    local tool name path
    [ "$order" != install ] || take_brought
    for tool in ssh tar gzip; do have "$tool" || err "there is no $tool on this machine, and it is needed"; done
    if [ -n "$config" ]; then
        { [ -f "$config" ] && [ -r "$config" ]; } || err "there is no file $config that could be read"
        config=$(whole_path "$(dirname "$config")")/$(basename "$config")
    fi
    if [ -n "$from" ]; then
        path=$(whole_path "$from") || err "there is no folder $from"
        from=$path
        [ -n "$(ready_for)" ] ||
            for name in $PROGRAMS; do [ -f "$from/$name" ] || err "there is no program $name in $from"; done
    fi
    cd "$clone"
    [ "$order" = install ] || return 0
    if [ -z "$from" ]; then
        need_rust
        need_linker
    fi
    [ -z "$config" ] || judge_config
}

# By a program for this PC, where there is one. Where there is none, the NAS judges the configuration.
judge_config() {
    local judge
    if [ -n "$from" ]; then
        judge=$(ready "$(uname -m)")/remotetask
    else
        # The programs know Linux alone.
        case $(host) in *-linux-*) ;; *) return 0 ;; esac
        (umask 022; build "$(host)" --package remotetask-workbench)
        judge=target/$(host)/release/remotetask
    fi
    "$judge" --version >/dev/null 2>&1 || return 0
    "$judge" check "$config" >/dev/null || err "your configuration is refused; what stands above says why"
}

leave() {
    local code=$? # at once: local is a command, too
    trap - EXIT
    [ "$silent" = no ] || stty echo </dev/tty
    ssh -o ControlPath="$work/ssh" -O exit "$nas" >/dev/null 2>&1 || :
    rm -rf "$work"
    exit "$code"
}

# One connection for everything, until this ends, so that SSH asks once for what it asks: should that
# connection break, no second one asks again.
nas() {
    ssh -T -o ControlMaster=auto -o ControlPath="$work/ssh" -o ControlPersist=yes -o ConnectTimeout=20 \
        -o ServerAliveInterval=15 ${connected:+-o BatchMode=yes} -- "$nas" "$1"
}

broken() { err "the connection to $nas broke: what was there before works, or what is new; run this again"; }

# Reads the facts that need no rights of root.
look() {
    ! terminal || say "Connecting to $nas by SSH. Should it ask for a password, it is the one of DSM, and it asks once." >/dev/tty
    nas 'sh -s' >"$work/facts" <<'END' || err "SSH gets no answer from $nas: is SSH on in DSM (Control Panel, Terminal & SNMP), and is the name right?"
PATH=/sbin:/bin:/usr/sbin:/usr/bin:/usr/syno/sbin:/usr/syno/bin:/usr/local/sbin:/usr/local/bin
there() { [ -e "$1" ] && echo yes || echo no; }
value() { sed -n "s/^$1=\"\{0,1\}\([^\"]*\).*/\1/p" /etc.defaults/VERSION 2>/dev/null | head -n 1; }
echo "machine=$(uname -m)"
echo "kernel=$(uname -r)"
echo "dsm=$(value productversion)"
echo "build=$(value buildnumber)"
echo "http=$(grep -q '^http:' /etc/passwd && echo yes || echo no)"
echo "sudo=$(there /usr/bin/sudo)"
apache=no
for program in /usr/local/bin/httpd24 /var/packages/Apache2.4/target/usr/local/bin/httpd24; do
    [ ! -x "$program" ] || apache=$program
done
echo "apache=$apache"
[ "$apache" = no ] || echo "runs=$("$apache" -M 2>/dev/null | grep -Eq ' cgid?_module' && echo yes || echo unknown)"
for share in /var/services/web /volume*/web; do
    [ ! -d "$share" ] || echo "web=$(cd "$share" && pwd -P)"
done
for package in /var/packages/PHP[78]*; do
    [ ! -e "$package" ] || echo "php=${package##*/}"
done
echo "installed=$(there /usr/local/remotetask/remotetask-run)"
echo "config=$(there /usr/local/remotetask/config.json)"
echo "way=$(cat /usr/local/remotetask/webstation/way 2>/dev/null)"
if [ "$(id -u)" = 0 ]; then root=yes; elif sudo -n true 2>/dev/null; then root=sudo; else root=password; fi
echo "root=$root"
echo "admin=$(id -Gn | grep -qw administrators && echo yes || echo no)"
END
    connected=yes
    machine=$(fact machine) kernel=$(fact kernel) root=$(fact root)
    # An old connection is over, and a wrong user's shell says something else.
    { [ -n "$machine" ] && [ -n "$root" ]; } || err "what $nas answers is no shell's answer: may this user log in there by SSH?"
}

# Text from there is to be shown, and nothing more.
fact() { sed -n "s/^$1=//p" "$work/facts" | head -n 1 | tr -cd '[:print:]'; }

plan() {
    local dsm refusal number how
    dsm=$(fact dsm)
    say "$nas: DSM ${dsm:-unknown}$(fact build | sed 's/./-&/'), $machine, Linux $kernel" "$(can_it)"
    refusal=$(refuse)
    [ -z "$refusal" ] || err "$refusal"
    number=0
    case $root in
        yes) how="root" ;;
        sudo) how="root, by sudo, which asks for no password" ;;
        *) how="root, by sudo, which asks for your password" ;;
    esac
    if [ "$order" = uninstall ]; then
        [ "$(fact installed)" = yes ] || [ "$(fact config)" = yes ] || say "It is not installed there."
        step "become $how"
        step "take away what it has laid out there: programs, log, the rule for sudo, the way in from the web server"
        if [ -n "$keep" ]; then step "keep config.json and its keys"; else step "take away config.json and its keys, too: every URL ends"; fi
        return
    fi
    if [ -n "$from" ]; then step "take the programs from $from"; else step "build the programs for $machine, which takes some minutes the first time"; fi
    step "become $how"
    if [ "$(fact installed)" = yes ]; then
        step "upgrade /usr/local/remotetask; configuration, keys, log and runs stay"
    else
        step "install into /usr/local/remotetask, with a rule for sudo that lets the web server's user start remotetask-run alone"
    fi
    case $way in
        --vhost) step "lay out the folder remotetask below the share web, and show you what to click in Web Station" ;;
        --port) step "open a port for it in Apache 2.4, as config.json says (127.0.0.1:10765 if nothing does), and restart Apache" ;;
        --php) step "lay out the folder remotetask below the share web, with a page of PHP, and show you what to click in Web Station" ;;
        *)
            case $(fact way) in
                '') step "open a port for it in Apache 2.4, as config.json says (127.0.0.1:10765 if nothing does), and restart Apache; where it runs no programs, lay out a folder for PHP instead" ;;
                *) step "leave the way in from the web server as it is: $(fact way)" ;;
            esac ;;
    esac
    if [ -n "$config" ]; then step "take $config as its configuration, with digests in place of plain keys"; fi
    [ -z "$tasks" ] || step "give the tasks $tasks of DSM's Task Scheduler a URL each"
    step "prove with one request that all of the way works"
    case $phones in
        '') [ "$wait" = no ] || step "ask how phones shall reach it, and show the code to scan" ;;
        later) ;;
        *) step "let phones reach it ($phones), and show the code to scan" ;;
    esac
}

# Of the plan, which counts them.
step() { number=$((number + 1)); say "  $number. $*"; }

can_it() {
    local said web
    case $(fact apache) in
        no) said="Apache 2.4 is not there." ;;
        *)
            said="Apache 2.4 is there"
            [ "$(fact runs)" != yes ] || said="$said, and runs programs"
            said="$said." ;;
    esac
    case $(fact php) in
        '') said="$said PHP is not there." ;;
        *) said="$said $(fact php) is there." ;;
    esac
    web=$(fact web)
    show "$said ${web:+The share for web pages is $web.}"
}

# The one sentence why it cannot work there.
refuse() {
    case $kernel in
        [12].* | 3.[0-9] | 3.[0-9].*) show "this NAS has Linux $kernel, and the programs need 3.10 or newer: it cannot run them"; return ;;
    esac
    if [ "$root" = password ] && [ "$(fact admin)" = no ]; then
        show "${nas%%@*} is no administrator of DSM, and nobody else may become root there: take a user who is one"
        return
    fi
    [ "$order" = install ] || return 0
    if ! known_processor "$machine"; then
        show "this NAS has the processor $machine, and there are programs for $(all_processors) alone"
        return
    fi
    if [ "$(fact sudo)" = no ]; then
        show "there is no sudo on this NAS, which the web server needs to become root: it cannot work there"
    elif [ "$(fact http)" = no ]; then
        show "this NAS has no user http, which web servers run as: install Web Station in DSM's Package Center, then run this again"
    elif [ "$(fact apache)" = no ] && { [ -z "$(fact php)" ] || [ "$way" = --port ] || [ "$way" = --vhost ]; }; then
        show "this NAS has no Apache 2.4: install \"Apache HTTP Server 2.4\" in DSM's Package Center, then run this again"
    elif [ -n "$config" ] && [ "$(fact config)" = yes ]; then
        show "there is a configuration on $nas already, /usr/local/remotetask/config.json: move it away if yours is to take its place, then run this again"
    fi
}

# Tries to open it, because its name is always there.
terminal() { (: </dev/tty) 2>/dev/null; }

become_root() {
    local try code
    [ "$root" = password ] || return 0
    terminal ||
        err "sudo on $nas asks for a password, and there is no terminal here to ask you at"
    for try in 1 2 3; do
        silent=yes
        stty -echo </dev/tty
        printf 'Password of %s for sudo: ' "$nas" >/dev/tty
        IFS= read -r password </dev/tty || password=''
        stty echo </dev/tty
        silent=no
        printf '\n' >/dev/tty
        code=0
        as_root /dev/null true >/dev/null 2>&1 || code=$?
        [ "$code" != 0 ] || return 0
        [ "$code" != 255 ] || broken
        [ "$try" = 3 ] || say "That was not it, or sudo does not let this user become root." >/dev/tty
    done
    err "sudo on $nas does not take this password: is the user an administrator of DSM?"
}

# as_root INPUT SCRIPT [WORD ...]: neither script nor words hold a secret, for arguments can be read by everybody.
# -k: a password that sudo has no use for would be read as input.
as_root() {
    local input line word
    input=$1
    line="/bin/sh -c $(quoted "$2") install.sh"
    shift 2
    for word in "$@"; do line="$line $(quoted "$word")"; done
    case $root in
        yes) nas "$line" <"$input" ;;
        sudo) nas "sudo -n $line" <"$input" ;;
        *) { printf '%s\n' "$password"; cat "$input"; } | nas "sudo -k -S -p '' $line" ;;
    esac
}

quoted() { printf "'%s'" "$(printf %s "$1" | sed "s/'/'\\\\''/g")"; }

send() {
    local code
    say "" "On $nas:"
    code=0
    # shellcheck disable=SC2086 # words or none
    as_root "$work/package.tar.gz" "$(filled installer/bootstrap.sh "$machine")" setup --then-phone $way $dry_run ${config:+--config-name "$config"} || code=$?
    [ "$code" != 255 ] || broken
    [ "$code" = 0 ] || exit 1
}

uninstall() {
    say "" "On $nas:"
    # shellcheck disable=SC2016,SC2086 # for the NAS; words or none
    as_root /dev/null 'folder=/usr/local/remotetask
# A version before `remotetask uninstall` has a script for it.
if [ -e "$folder/nas.sh" ]; then exec /bin/sh "$folder/nas.sh" uninstall "$@"; fi
if [ -e "$folder/remotetask" ]; then exec "$folder/remotetask" uninstall "$@"; fi
# Files that were kept the last time.
case " $* " in
    *" --keep-config "*) ;;
    *)
        if [ -d "$folder" ] && [ ! -L "$folder" ]; then
            case " $* " in *" --dry-run "*) echo "  to do  $folder is gone"; exit ;; esac
            rm -rf "$folder"
            echo "  done   $folder is gone"
            exit
        fi ;;
esac
echo "There was nothing to take away."' $keep $dry_run
}

asking() { [ "$wait" = yes ] && [ -t 0 ] && [ -t 1 ]; }

# The tasks that the owner picks, as long as there is none.
first_tasks() {
    # shellcheck disable=SC2016 # for the NAS
    if [ -z "$tasks" ] && [ -z "$config" ] && asking &&
        ! as_root /dev/null 'grep -q "\"identifier\"" /usr/local/remotetask/config.json' 2>/dev/null; then
        say ""
        as_root /dev/null 'exec /usr/local/remotetask/remotetask tasks'
        while :; do
            say "" "Which of them get a URL? Numbers or names, such as 7,Check off;"
            printf 'just press Enter for none yet: '
            IFS= read -r tasks || tasks=''
            [ -n "$tasks" ] || return 0
            ! give || return 0
        done
    fi
    [ -z "$tasks" ] || give || exit 1
}

# Without codes: the one that is scanned stands at the end.
give() {
    # shellcheck disable=SC2016 # for the NAS
    as_root /dev/null 'exec /usr/local/remotetask/remotetask tasks give "$1" --no-links' "$tasks"
}

prove() {
    local chosen
    # The entry point that setup has chosen or kept.
    chosen=$(nas 'cat /usr/local/remotetask/webstation/way' 2>/dev/null </dev/null | tr -cd '[:lower:]')
    if [ "$chosen" = port ]; then
        say "" "The proof:"
        as_root /dev/null 'exec /usr/local/remotetask/remotetask prove' || exit 1
    fi
    probe
    boot_task
    how_phones "$chosen"
}

# The last thing on the screen is the code that a phone scans.
how_phones() {
    local noted code
    # A program that does not know this knows of no address.
    noted=$(as_root /dev/null 'exec /usr/local/remotetask/remotetask url --noted' 2>/dev/null) || noted=''
    noted=$(printf %s "$noted" | tr -cd '[:graph:]')
    if [ -z "$phones" ] && [ "$1" != port ]; then
        phones=vhost
        if asking; then ask_address; else url=${url:-$noted}; fi
        [ -n "$url" ] || phones=later
    elif [ -z "$phones" ]; then
        phones=later
        # A choice that was made before is not asked for again.
        { [ -n "$noted" ] || ! asking; } || ask_phones
    elif [ "$phones" = proxy ] || [ "$phones" = vhost ]; then
        { [ -n "$url" ] || ! asking; } || ask_address
    fi
    code=''
    [ ! -t 1 ] || code=--qr
    [ "${TERM:-}" != dumb ] || code=''
    [ "$wait" = yes ] || code="$code --no-wait"
    say ""
    if [ "$phones" = later ]; then
        say "Installed. What to do next:"
        show "    ssh -t $nas sudo remotetask"
    else
        say "Installed."
    fi
    # shellcheck disable=SC2016,SC2086 # for the NAS; words or none
    as_root /dev/null 'exec /usr/local/remotetask/remotetask phone "$@"' "$phones" ${url:+--url "$url"} $code || exit 1
}

ask_phones() {
    local answer
    say "" "How shall phones reach it?"
    show "  a  at home only, without https; there is nothing more to set up" \
        "  b  from everywhere, by DSM's reverse proxy, with https" \
        "  c  from everywhere, by a virtual host of Web Station's, with https" \
        "  d  later (sudo remotetask phone)"
    while :; do
        printf 'a, b, c or d: '
        IFS= read -r answer || answer=d
        case $answer in
            a) phones=home; return ;;
            b) phones=proxy; break ;;
            c) phones=vhost; break ;;
            d | '') return ;;
        esac
    done
    ask_address
    [ -n "$url" ] || phones=later
}

# Into url, or nothing for later. An address that was noted before need not be typed again.
ask_address() {
    while :; do
        say "By which address will it be reached, such as https://tasks.example.org?"
        printf 'Just press Enter for %s: ' "${noted:-later}"
        IFS= read -r url || { url=''; return 0; }
        url=${url:-$noted}
        case $url in
            *://*/?*/?* | *[%?#]*) say "Give the address alone, without the keys behind it." ;;
            '' | [Hh][Tt][Tt][Pp]://?* | [Hh][Tt][Tt][Pp][Ss]://?*) break ;;
            *) say "https:// is missing in front of this address." ;;
        esac
    done
}

# No public source says how a scheduled task starts on this NAS: it has to be tried there, once.
probe() {
    local number
    asking || return 0
    # A program that does not know this knows of no trial.
    ! as_root /dev/null 'exec /usr/local/remotetask/remotetask probe --chosen' >/dev/null 2>&1 || return 0
    say "" "How does a scheduled task start on this NAS? A harmless one is tried up to five times, a minute or two. To make one: Task Scheduler, Create, Scheduled Task, User-defined script; user root, and the script"
    show "    date >>/usr/local/remotetask/state/probe"
    while :; do
        printf 'Its number; just press Enter for later (sudo remotetask probe): '
        IFS= read -r number || number=''
        case $number in
            '') return 0 ;;
            *[!0-9]*) say "That is no number; sudo remotetask tasks shows them." ;;
            *) break ;;
        esac
    done
    # shellcheck disable=SC2016 # for the NAS
    as_root /dev/null 'exec /usr/local/remotetask/remotetask probe "$1" --yes' "$number" || exit 1
}

boot_task() {
    say "After an update of DSM its boot puts back what the update took. Should yours not do that, make a task for it: Task Scheduler, Create, Triggered Task, User-defined script; user root, event Boot-up, and the script"
    show "    /usr/local/remotetask/remotetask repair --boot"
}

main "$@"
