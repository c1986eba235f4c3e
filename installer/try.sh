# shellcheck shell=sh
# The trial on this machine: a web server of its own, and one call. install.sh reads this file.
#
# Nothing but functions and the variables that they share.
# shellcheck disable=SC3043 # `local` is in no standard, but in dash, bash and busybox ash

LISTEN=127.0.0.1:10765
# The example's two keys, as config.json.example has them.
MAGICKEY=76sdf7678fds687
IDENTIFIER=hjhass665s
MODULES=/usr/lib/apache2/modules

# The trial's folder, its web server's process, and the words that start that server as an ordinary user.
folder='' server='' as_user=''

try_here() {
    local built
    PATH=$PATH:/usr/sbin:/sbin
    umask 022
    cd "$clone"
    folder=$clone/target/try

    take_brought
    check_owner
    plan_here
    [ -n "$from" ] || need_rust
    install_packages
    if [ -n "$from" ]; then
        built=$(ready "$(uname -m)")
    else
        build "$(host)"
        built=target/$(host)/release
    fi
    port_is_free
    lay_out "$built"
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
    has_example && say "" "The same in a browser: http://localhost:${LISTEN##*:}/$MAGICKEY/$IDENTIFIER"
    say "" "Your tasks are in target/try/config.json, the log is target/try/log.txt; in a second terminal target/try/remotetask check tells whether the configuration is valid." \
        "Serving on http://$LISTEN until you press Ctrl-C; target/try stays."
    wait "$server" || err "the web server has ended; see $folder/apache/error.log"
}

plan_here() {
    say "This tries the remote task starter on this machine. It will"
    say "  1. install what is missing of: Apache's programs, curl, a linker (Debian packages)"
    if [ -n "$from" ]; then say "  2. take the programs from $from"; else say "  2. build the programs with cargo (some minutes the first time)"; fi
    say "  3. lay everything out in $folder"
    say "  4. start a web server on http://$LISTEN, without root's rights, and call the example's URL"
    say ""
}

# The programs believe no configuration that somebody else could change.
check_owner() {
    [ "$(stat -c %u .)" = "$(id -u)" ] ||
        err "this folder belongs to $(stat -c %U .), but you are $(id -un): run this as $(stat -c %U .), or clone it again as $(id -un)"
}

missing_packages() {
    local missing
    missing=
    { have apache2 && [ -e "$MODULES/mod_cgid.so" ]; } || missing="$missing apache2-bin"
    have curl || missing="$missing curl"
    { [ -n "$from" ] || have cc; } || missing="$missing gcc libc6-dev"
    printf '%s' "${missing# }"
}

install_packages() {
    local missing root
    missing=$(missing_packages)
    [ -n "$missing" ] || return 0
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
    missing=$(missing_packages)
    [ -z "$missing" ] || err "these packages could not be installed (no network?): $missing"
}

in_use() {
    err "$LISTEN is in use: is another ./install.sh --try still open? End it, or what else serves there, then run this again"
}

# Before anything is changed: it may be another one of these that serves. 7 is "failed to connect".
port_is_free() {
    local code
    code=0
    printf 'url = "http://%s/"\n' "$LISTEN" | curl --config - --silent --output /dev/null --max-time 2 || code=$?
    [ "$code" = 7 ] || in_use
}

# lay_out BUILT: all that the trial needs, with the programs from there.
lay_out() {
    local built
    built=$1
    rm -rf "$folder/apache"
    mkdir -p "$folder/apache"
    rm -f "$folder/remotetask-cgi" "$folder/remotetask-run" "$folder/remotetask-keep" "$folder/remotetask"
    cp "$built/remotetask-cgi" "$built/remotetask-run" "$built/remotetask-keep" "$built/remotetask" "$folder/"
    chmod 0711 "$folder/remotetask-cgi"
    chmod 0700 "$folder/remotetask-run" "$folder/remotetask-keep"
    if [ -e "$folder/config.json" ]; then
        say "Keeping target/try/config.json as it is; delete it to get the example back."
        "$folder/remotetask" check "$folder/config.json" || err "fix it, or delete it"
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
Include "$clone/webstation/remotetask.conf"
END
}

# Apache refuses to serve as root. In a user namespace of its own root is an ordinary user, who owns
# the same files and may do nothing more. In a container, where there is none, www-data serves.
serve_as() {
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

start_server() {
    local tries
    serve_as
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
    local code=$? # at once: local is a command, too
    trap - EXIT
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || :
        wait "$server" 2>/dev/null || :
    fi
    exit "$code"
}

# An owner's own configuration may no longer have the example.
has_example() {
    grep -q "$MAGICKEY" "$folder/config.json" && grep -q "$IDENTIFIER" "$folder/config.json"
}

# The URL is the key: it reaches curl by stdin, because argument lists can be read by everybody.
call() {
    local answer
    say "" "Calling http://$LISTEN/<magic key>/<identifier> ..."
    answer=$(printf 'url = "http://%s/%s/%s"\n' "$LISTEN" "$MAGICKEY" "$IDENTIFIER" |
        curl --config - --silent --show-error --max-time 30 --write-out '%{http_code}') ||
        err "the web server gave no answer; see $folder/apache/error.log"
    show "  the answer:      $(printf %s "$answer" | sed 's/[0-9]*$//')"
    show "  its effect:      $(ls -l "$folder/hello.txt" 2>/dev/null || echo 'none')"
    show "  the log's line:  $(tail -n 1 "$folder/log.txt" 2>/dev/null || echo 'none')"
    case $answer in
        *200 | *202) [ -e "$folder/hello.txt" ] || err "the answer was good, but the task has had no effect" ;;
        *) err "the task was not started; the log's line says why" ;;
    esac
}
