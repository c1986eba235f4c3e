# shellcheck shell=sh
# Builds the programs, packs them for a NAS, and makes one file a processor. install.sh reads this file.
#
# Nothing but functions and constants, and the folder that cargo builds into.
# shellcheck disable=SC3043 # `local` is in no standard, but in dash, bash and busybox ash

PROGRAMS="remotetask-keep remotetask-run remotetask-cgi remotetask"

# The processors that there are programs for, as `uname -m` names them: the number in the field e_machine
# of ELF's header, and Rust's two targets: with musl, which Rust brings along for each of them, and with the
# C library of a PC that has this processor.
PROCESSORS='x86_64 62 x86_64-unknown-linux-musl x86_64-unknown-linux-gnu
aarch64 183 aarch64-unknown-linux-musl aarch64-unknown-linux-gnu
armv7l 40 armv7-unknown-linux-musleabihf armv7-unknown-linux-gnueabihf'

# installer/release builds into one of its own.
into=target

processors() { printf '%s\n' "$PROCESSORS" | cut -d ' ' -f 1; }

# As a sentence has them.
all_processors() {
    processors | awk '{ if (NR > 1) text = text (NR > 2 ? ", " : "") last; last = $1 } END { print text " and " last }'
}

known_processor() { processors | grep -qxF -e "$1"; }

# The processor that a program is for.
machine_of() {
    local number machine
    number=$(od -An -tu1 -j18 -N1 "$1" 2>/dev/null | tr -d ' ')
    machine=$(printf '%s\n' "$PROCESSORS" | sed -n "s/ ${number:-none} .*//p")
    printf '%s\n' "${machine:-unknown}"
}

need_rust() {
    local version minor
    { have cargo && have rustc; } ||
        err "there is no Rust compiler here: install one as https://rustup.rs says (1.85 or newer; just installed? open a new terminal), then run this again"
    version=$(rustc --version | cut -d' ' -f2)
    minor=$(printf %s "$version" | cut -d. -f2)
    [ "${version%%.*}" -gt 1 ] || [ "$minor" -ge 85 ] ||
        err "Rust $version is too old, 1.85 is needed: update it with 'rustup update'"
}

need_linker() {
    have cc || err "there is no C linker on this PC, which Rust needs: type 'sudo apt-get install gcc libc6-dev' (on macOS: xcode-select --install), then run this again"
}

# This machine's own target.
host() { rustc -vV | sed -n 's/^host: //p'; }

musl_target() { printf '%s\n' "$PROCESSORS" | sed -n "s/^$1 [0-9]* \([^ ]*\) .*/\1/p"; }
glibc_target() { printf '%s\n' "$PROCESSORS" | sed -n "s/^$1 .* //p"; }

# Returns true where this Rust has the target.
has_target() { [ -d "$(rustc --print sysroot)/lib/rustlib/$1" ]; }

# choose_target PROCESSOR: sets target to the one to build for, musl's if it can be had, and says what it adds for it;
# fails where there is none.
choose_target() {
    target=$(musl_target "$1")
    ! has_target "$target" || return 0
    if have rustup; then
        say "Adding Rust's target $target by rustup (rustup target add $target) ..."
        ! rustup target add "$target" >/dev/null 2>&1 || return 0
    fi
    [ "$(host)" = "$(glibc_target "$1")" ] || return 1
    say "This Rust has no target $target, so the programs are built with glibc: each request takes about half as much time again, and twice the memory. Nothing else is different."
    target=$(host)
}

no_target_for() {
    printf '%s\n' "this Rust cannot build for $1: type 'rustup target add $(musl_target "$1")', or take ready programs by --from"
}

# build TARGET [--package NAME]: into TARGET/release there. Cargo shows where it is to whoever waits for it.
build() {
    local target quiet
    target=$1 quiet=--quiet
    shift
    { [ "$wait" = yes ] && [ -t 2 ]; } && quiet=''
    say "Building for $target (some minutes the first time) ..."
    cargo fetch --locked $quiet --target "$target" ||
        err "cargo could not fetch the packages that this needs; is there a network?"
    [ $# != 0 ] || set -- --workspace
    cargo build --locked $quiet --release "$@" --bins --target "$target" --target-dir "$into" ||
        err "the build has failed; what stands above says why"
}

# For musl Rust brings its own linker, which is the same one for each processor.
static() {
    case $1 in
        *-musl*) export "CARGO_TARGET_$(printf %s "$1" | tr 'a-z-' 'A-Z_')_LINKER=rust-lld" ;;
    esac
}

# The folder of ready programs for this processor: $from may have one for each.
ready() { if [ -d "$from/$1" ]; then printf '%s\n' "$from/$1"; else printf '%s\n' "$from"; fi; }

# The processors that have a folder in $from; none where it holds programs itself.
ready_for() {
    local machine
    for machine in $(processors); do [ ! -d "$from/$machine" ] || printf '%s\n' "$machine"; done
}

# A release's archive brings programs along, which need no Rust.
take_brought() { [ -n "$from" ] || [ ! -d "$clone/programs" ] || from=$clone/programs; }

# The SHA-256 of the standard input.
sum() { if have sha256sum; then sha256sum; else shasum -a 256; fi | cut -d ' ' -f 1; }

# intact FOLDER: compares its files with its SHA256SUMS. A clone of the project has none.
intact() {
    local check
    check='sha256sum -c'
    have sha256sum || check='shasum -a 256 -c'
    [ ! -e "$1/SHA256SUMS" ] || (cd "$1" && $check SHA256SUMS >/dev/null 2>&1)
}

# pack PROCESSOR FILE: the package for it, built for the chosen target.
pack() {
    local built package name names is
    if [ -n "$from" ]; then
        built=$(ready "$1")
    else
        (umask 022; static "$target"; build "$target")
        built=$into/$target/release
    fi
    package=$work/package
    rm -rf "$package"
    mkdir "$package"
    for name in $PROGRAMS; do
        cp "$built/$name" "$package/$name" || err "there is no program $name in $built"
        chmod 0755 "$package/$name" # whatever this PC gives; the NAS gives each its own
        is=$(machine_of "$package/$name")
        [ "$is" = "$1" ] || err "$built/$name is for the processor $is, and this wants $1"
    done
    # The texts that are installed are in remotetask itself.
    names=$PROGRAMS
    if [ -n "$config" ]; then
        cp "$config" "$package/config.json"
        names="$names config.json"
    fi
    # shellcheck disable=SC2086 # a list of words
    same_tar -C "$package" -cf - $names | gzip -n >"$2"
}

# tar, which makes the same bytes of the same files where it is GNU's: no names of users, no time.
same_tar() {
    if tar --version 2>/dev/null | grep -q GNU; then
        tar --sort=name --mtime='2026-01-01 00:00Z' --owner=0 --group=0 --numeric-owner "$@"
    else
        tar "$@"
    fi
}

# packed_file PROCESSOR PACKAGE FILE: the file that a NAS of this processor installs itself from.
packed_file() {
    local sum
    filled installer/here.sh "$1" "$(wc -c <"$2" | tr -d ' ')" >"$work/text"
    sum=$(grep -v '^SUM=' "$work/text" | cat - "$2" | sum)
    sed "s/^SUM=@SUM@$/SUM=$sum/" "$work/text" | cat - "$2" >"$work/file"
    chmod 0644 "$work/file"
    mv -f "$work/file" "$3"
}

# filled FILE PROCESSOR [SIZE]: a text for such a NAS. The first line is for the one that carries the bootstrap.
filled() {
    sed -e '/^@BOOTSTRAP@$/{' -e 'r installer/bootstrap.sh' -e 'd' -e '}' "$1" |
        sed -e "s/@VERSION@/$(release)/g" -e "s/@MACHINE@/$2/g" -e "s/@PROCESSORS@/$(all_processors)/" \
            -e "s/@PROCESSOR@/$(processors | paste -s -d '|' -)/" -e "s/@SIZE@/${3:-}/"
}

# The version: of this project, or as its archive names it.
release() { [ ! -e programs/version ] || { cat programs/version; return; }; sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1; }

# make_files [PROCESSOR ...]: a file for each, in target/pack. One that cannot be made keeps no other back.
make_files() {
    local path machine file made
    take_brought
    if [ -n "$from" ]; then
        path=$(whole_path "$from") || err "there is no folder $from"
        from=$path
        if [ -n "$(ready_for)" ]; then
            # shellcheck disable=SC2046 # a list of words
            [ $# != 0 ] || set -- $(ready_for)
        else
            [ $# -lt 2 ] || wrong "--from is for one processor, unless the folder has one for each, as x86_64"
            [ $# = 1 ] || set -- "$(machine_of "$from/remotetask")"
        fi
    fi
    # shellcheck disable=SC2046 # a list of words
    [ $# != 0 ] || set -- $(processors)
    cd "$clone"
    for machine; do
        known_processor "$machine" || err "there are programs for $(all_processors) alone, not for $machine"
    done
    if [ -z "$from" ]; then
        need_rust
        need_linker
    fi
    work=$(mktemp -d /tmp/remotetask.XXXXXX)
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    mkdir -p target/pack
    made=no
    for machine; do
        if [ -z "$from" ] && ! choose_target "$machine"; then
            say "Left out: $machine, because $(no_target_for "$machine")."
            continue
        fi
        pack "$machine" "$work/package.tar.gz"
        file=target/pack/remotetask-$(release)-$machine.run
        packed_file "$machine" "$work/package.tar.gz" "$file"
        show "Made: $file"
        made=yes
    done
    [ "$made" = yes ] || err "no file was made"
    say "How to go on: docs/install.md, \"Without SSH\""
}
