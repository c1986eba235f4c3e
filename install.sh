#!/bin/sh
# Remote task starter: tries it on this machine.
#
# Everything is a function and main comes last, so that half a file does nothing.
set -eu

usage() {
    cat <<'END'
Usage: ./install.sh --try [--once]

  --try     builds the remote task starter, starts it behind a web server of its own on
            http://127.0.0.1:10765, calls the example's secret URL once, shows what
            happened, and serves until Ctrl-C. Nothing outside this folder changes,
            but for the packages that it says it installs.
  --once    ends after that call; the exit code is 0 if the task was started.
  --help    shows this.
END
}

LISTEN=127.0.0.1:10765
# The example's two keys, as config.json.example has them.
MAGICKEY=76sdf7678fds687
IDENTIFIER=hjhass665s
MODULES=/usr/lib/apache2/modules

say() { printf '%s\n' "$@"; }
err() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

main() {
    try=no once=no
    while [ $# -gt 0 ]; do
        case $1 in
            --try) try=yes ;;
            --once) once=yes ;;
            --help | -h) usage; exit 0 ;;
            *) printf 'install.sh: there is no option %s\n\n' "$1" >&2; usage >&2; exit 2 ;;
        esac
        shift
    done
    [ "$try" = yes ] || { usage >&2; exit 2; }
    PATH=$PATH:/usr/sbin:/sbin
    umask 022
    cd "$(dirname "$0")"
    here=$(pwd -P)
    folder=$here/target/try

    check_owner
    plan
    need_rust
    install_packages
    build
    port_is_free
    lay_out
    trap stop_server EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    start_server
    if has_example; then
        call
    elif [ "$once" = yes ]; then
        err "target/try/config.json has no example to call; delete it to get that back"
    fi
    [ "$once" = yes ] && return
    has_example && say "" "The same in a browser:  http://localhost:${LISTEN##*:}/$MAGICKEY/$IDENTIFIER"
    say "" "Your tasks are in target/try/config.json, the log is target/try/log.txt; in a second terminal" \
        "target/try/remotetask check tells whether the configuration is valid." \
        "Serving on http://$LISTEN until you press Ctrl-C; target/try stays."
    wait "$server" || err "the web server has ended; see $folder/apache/error.log"
}

plan() {
    say "This tries the remote task starter on this machine. It will"
    say "  1. install what is missing of: Apache's programs, curl, a linker (Debian packages)"
    say "  2. build the programs with cargo (about a minute the first time)"
    say "  3. lay everything out in $folder"
    say "  4. start a web server on http://$LISTEN, without root's rights, and call the example's URL"
    say ""
}

# The programs believe no configuration that somebody else could change.
check_owner() {
    [ "$(stat -c %u .)" = "$(id -u)" ] ||
        err "this folder belongs to $(stat -c %U .), but you are $(id -un): run this as $(stat -c %U .), or clone it again as $(id -un)"
}

need_rust() {
    { have cargo && have rustc; } ||
        err "there is no Rust compiler here: install one as https://rustup.rs says (1.85 or newer), then run this again"
    version=$(rustc --version | cut -d' ' -f2)
    minor=$(printf %s "$version" | cut -d. -f2)
    [ "${version%%.*}" -gt 1 ] || [ "$minor" -ge 85 ] ||
        err "Rust $version is too old, 1.85 is needed: update it with 'rustup update'"
}

missing_packages() {
    missing=
    { have apache2 && [ -e "$MODULES/mod_cgid.so" ]; } || missing="$missing apache2-bin"
    have curl || missing="$missing curl"
    have cc || missing="$missing gcc libc6-dev"
    missing=${missing# }
    [ -n "$missing" ]
}

install_packages() {
    missing_packages || return 0
    say "Installing: $missing"
    if [ "$(id -u)" = 0 ]; then
        root=
    elif have sudo; then
        root=sudo
    else
        err "these packages are missing and only root can install them: apt-get install $missing"
    fi
    # shellcheck disable=SC2086 # two lists of words
    $root env DEBIAN_FRONTEND=noninteractive sh -c 'apt-get -qq update; apt-get -qq install -y --no-install-recommends "$@"' \
        sh $missing >/dev/null || :
    missing_packages || return 0
    err "these packages could not be installed (no network?): $missing"
}

build() {
    say "Building (about a minute the first time, without a word) ..."
    host=$(rustc -vV | sed -n 's/^host: //p')
    cargo fetch --locked --quiet --target "$host" ||
        err "cargo could not fetch the packages that this needs; is there a network?"
    cargo build --locked --quiet --release --bins --target "$host" --target-dir target ||
        err "the build has failed; what stands above says why"
    built=target/$host/release
}

in_use() {
    err "$LISTEN is in use: is another ./install.sh --try still open? End it, or what else serves there, then run this again"
}

# Before anything is changed: it may be another one of these that serves. 7 is "failed to connect".
port_is_free() {
    code=0
    printf 'url = "http://%s/"\n' "$LISTEN" | curl --config - --silent --output /dev/null --max-time 2 || code=$?
    [ "$code" = 7 ] || in_use
}

lay_out() {
    rm -rf "$folder/apache"
    mkdir -p "$folder/apache"
    rm -f "$folder/remotetask-cgi" "$folder/remotetask-run" "$folder/remotetask-keep" "$folder/remotetask"
    cp "$built/remotetask-cgi" "$built/remotetask-run" "$built/remotetask-keep" "$built/remotetask" "$folder/"
    chmod 0711 "$folder/remotetask-cgi"
    chmod 0700 "$folder/remotetask-run" "$folder/remotetask-keep"
    if [ -e "$folder/config.json" ]; then
        say "Keeping target/try/config.json as it is; delete it to get the example back."
        "$folder/remotetask" check "$folder/config.json" || err "mend it, or delete it"
    else
        write_config
    fi
    rm -f "$folder/hello.txt"
    write_httpd_conf
}

write_config() {
    # The shipped configuration; here nobody has to become root, and the folder is this one.
    sed -e 's|"server": {|"server": {\n    "elevate": [],|' \
        -e "s|/usr/local/remotetask|$(printf %s "$folder" | sed 's/[\\&|"]/\\&/g')|" \
        config.json.example >"$folder/config.json"
    chmod 0640 "$folder/config.json"
    "$folder/remotetask" check "$folder/config.json" || err "the shipped configuration is refused; that is a fault of this program"
}

write_httpd_conf() {
    cat >"$folder/apache/httpd.conf" <<END
ServerRoot "$folder/apache"
ServerName localhost
PidFile "$folder/apache/httpd.pid"
DefaultRuntimeDir "$folder/apache"
ErrorLog "$folder/apache/error.log"
Mutex "file:$folder/apache" default
LoadModule mpm_event_module $MODULES/mod_mpm_event.so
LoadModule authz_core_module $MODULES/mod_authz_core.so
LoadModule alias_module $MODULES/mod_alias.so
LoadModule env_module $MODULES/mod_env.so
LoadModule cgid_module $MODULES/mod_cgid.so
ScriptSock "$folder/apache/cgid.sock"
Define REMOTETASK_FOLDER "$folder"
Define REMOTETASK_LISTEN $LISTEN
Include "$here/webstation/remotetask.conf"
END
}

# Apache refuses to serve as root. In a user namespace of its own root is an ordinary user, who owns
# the same files and may do nothing more. In a container, where there is none, www-data serves.
as_user() {
    as_user=
    [ "$(id -u)" = 0 ] || return 0
    as_user="unshare --user --map-user=1000 --map-group=1000"
    $as_user true 2>/dev/null && return
    as_user="setpriv --reuid=www-data --regid=www-data --clear-groups"
    chown -R www-data:www-data "$folder"
    $as_user test -x "$folder/remotetask-run" ||
        err "Apache does not serve as root, and www-data cannot reach $folder: clone this somewhere else, or run it as an ordinary user"
    say "Apache does not serve as root, so it serves as www-data."
}

server=
start_server() {
    as_user
    # A session of its own: at its end Apache signals its whole process group.
    # shellcheck disable=SC2086 # a list of words
    setsid env -i PATH=/usr/bin:/bin $as_user /usr/sbin/apache2 -f "$folder/apache/httpd.conf" -DFOREGROUND \
        2>"$folder/apache/start.log" &
    server=$!
    tries=0
    while [ ! -e "$folder/apache/httpd.pid" ]; do
        if ! kill -0 "$server" 2>/dev/null; then
            server=
            grep -q 'Address already in use' "$folder/apache/start.log" "$folder/apache/error.log" 2>/dev/null &&
                in_use
            cat "$folder/apache/start.log" >&2
            err "the web server did not start; what stands above says why"
        fi
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] || err "the web server has not started within 10 s; see $folder/apache/error.log"
        sleep 0.1
    done
}

stop_server() {
    code=$?
    trap - EXIT
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || :
        wait "$server" 2>/dev/null || :
    fi
    exit "$code"
}

# Somebody's own configuration may know the example no more.
has_example() {
    grep -q "$MAGICKEY" "$folder/config.json" && grep -q "$IDENTIFIER" "$folder/config.json"
}

# The URL is the key: it reaches curl by stdin, for argument lists can be read by everybody.
call() {
    say "" "Calling http://$LISTEN/<magic key>/<identifier> ..."
    answer=$(printf 'url = "http://%s/%s/%s"\n' "$LISTEN" "$MAGICKEY" "$IDENTIFIER" |
        curl --config - --silent --show-error --max-time 30 --write-out '%{http_code}') ||
        err "the web server gave no answer; see $folder/apache/error.log"
    say "  the answer:      $(printf %s "$answer" | sed 's/[0-9]*$//')"
    say "  its effect:      $(ls -l "$folder/hello.txt" 2>/dev/null || echo 'none')"
    say "  the log's line:  $(tail -n 1 "$folder/log.txt" 2>/dev/null || echo 'none')"
    case $answer in
        *200 | *202) [ -e "$folder/hello.txt" ] || err "the answer was good, but the task has had no effect" ;;
        *) err "the task was not started; the log's line says why" ;;
    esac
}

main "$@"
