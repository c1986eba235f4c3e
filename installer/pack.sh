# shellcheck shell=sh
# Builds the programs, packs them for a NAS, and makes one file a processor. install.sh reads this file.
#
# Nothing but functions and constants.
# shellcheck disable=SC3043 # `local` is in no standard, but in dash, bash and busybox ash

PROGRAMS="remotetask-keep remotetask-run remotetask-cgi remotetask"

# The processors that there are programs for, as `uname -m` names them: the number in the field e_machine
# of ELF's header, and Rust's two targets: with musl, which Rust brings along for each of them, and with the
# C library of a PC that has this processor.
PROCESSORS='x86_64 62 x86_64-unknown-linux-musl x86_64-unknown-linux-gnu
aarch64 183 aarch64-unknown-linux-musl aarch64-unknown-linux-gnu
armv7l 40 armv7-unknown-linux-musleabihf armv7-unknown-linux-gnueabihf'

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
        err "there is no Rust compiler here: install one as https://rustup.rs says (1.85 or newer), then run this again"
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

# build TARGET [--package NAME]: into target/TARGET/release. Cargo shows where it is to whoever waits for it.
build() {
    local target quiet
    target=$1 quiet=--quiet
    shift
    { [ "$wait" = yes ] && [ -t 2 ]; } && quiet=''
    say "Building for $target (some minutes the first time) ..."
    cargo fetch --locked $quiet --target "$target" ||
        err "cargo could not fetch the packages that this needs; is there a network?"
    [ $# != 0 ] || set -- --workspace
    cargo build --locked $quiet --release "$@" --bins --target "$target" --target-dir target ||
        err "the build has failed; what stands above says why"
}

# For musl Rust brings its own linker, which is the same one for each processor.
static() {
    case $1 in
        *-musl*) export "CARGO_TARGET_$(printf %s "$1" | tr 'a-z-' 'A-Z_')_LINKER=rust-lld" ;;
    esac
}

# pack PROCESSOR FILE: the package for it, built for the chosen target.
pack() {
    local built package name names is
    if [ -n "$from" ]; then
        built=$from
    else
        (umask 022; static "$target"; build "$target")
        built=target/$target/release
    fi
    package=$work/package
    rm -rf "$package"
    mkdir "$package"
    for name in $PROGRAMS; do
        cp "$built/$name" "$package/$name" || err "there is no program $name in $built"
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
    tar -C "$package" -cf - $names | gzip >"$2"
}

# filled FILE PROCESSOR [SIZE]: a text for such a NAS. The first line is for the one that carries the bootstrap.
filled() {
    sed -e '/^@BOOTSTRAP@$/{' -e 'r installer/bootstrap.sh' -e 'd' -e '}' "$1" |
        sed -e "s/@VERSION@/$(release)/g" -e "s/@MACHINE@/$2/g" -e "s/@PROCESSORS@/$(all_processors)/" \
            -e "s/@PROCESSOR@/$(processors | paste -s -d '|' -)/" -e "s/@SIZE@/${3:-}/"
}

release() { sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1; }

# make_files [PROCESSOR ...]: a file for each, in target/pack. One that cannot be made keeps no other back.
make_files() {
    local path machine file made
    if [ -n "$from" ]; then
        path=$(whole_path "$from") || err "there is no folder $from"
        from=$path
        [ $# -lt 2 ] || wrong "--from is for one processor"
        [ $# = 1 ] || set -- "$(machine_of "$from/remotetask")"
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
        {
            filled installer/here.sh "$machine" "$(wc -c <"$work/package.tar.gz" | tr -d ' ')"
            cat "$work/package.tar.gz"
        } >"$work/file"
        chmod 0644 "$work/file"
        mv -f "$work/file" "$file"
        show "Made: $file"
        made=yes
    done
    [ "$made" = yes ] || err "no file was made"
    say "How to go on: docs/install.md, \"Without SSH\""
}
