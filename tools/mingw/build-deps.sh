#!/bin/bash
# Cross-builds the libraries that the portable folders need for Windows, from Debian's sources.
#
#     tools/mingw/build-deps.sh [PREFIX]        default: build/mingw-deps
#
# json-c, libyaml, sqlite3 and (for the tests) cmocka become static libraries below PREFIX, where the
# preset "mingw" looks.
# What is there already is not built again, so a second run takes no time; remove PREFIX to start
# over.  The sources come through apt with the machine's own archive settings, but with lists of its
# own: nothing outside PREFIX changes.
#
# Needs: gcc-mingw-w64-x86-64-posix cmake ninja-build make gcc dpkg-dev tcl
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
prefix=$(realpath -m "${1:-$here/../../build/mingw-deps}")
host=x86_64-w64-mingw32
src=$prefix/src log=$prefix/log
export BALLAST_MINGW_DEPS=$prefix

for tool in $host-gcc-posix cmake ninja make gcc dpkg-source tclsh; do
    command -v "$tool" >/dev/null || { echo "build-deps: $tool is missing" >&2; exit 1; }
done
mkdir -p "$prefix/lib/pkgconfig" "$prefix/include" "$src" "$log"

# A private apt: the binary archives of this machine, asked for sources.
apt_private() {
    local state=$prefix/apt
    mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$state/empty"
    if [ ! -s "$state/sources.list" ]; then
        apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)' 'Created-By: Packages' |
            sort -u | sed -n 's|^\([^ ]*\) \([^ ]*\) main Debian$|deb-src \1 \2 main|p' >"$state/sources.list"
    fi
    apt-get -qq -o Dir::Etc::sourcelist="$state/sources.list" -o Dir::Etc::sourceparts="$state/empty" \
        -o Dir::State::lists="$state/lists" -o Dir::Cache="$state/cache" -o APT::Sandbox::User=root "$@"
}

# fetch PACKAGE: unpacks it to $src/PACKAGE
fetch() {
    [ -d "$src/$1" ] && return
    [ -e "$prefix/apt/updated" ] || { apt_private update && touch "$prefix/apt/updated"; }
    rm -rf "$src/get" && mkdir "$src/get"
    (cd "$src/get" && apt_private source --download-only --only-source "$1" && dpkg-source -x ./*.dsc tree)
    mv "$src/get/tree" "$src/$1"
    rm -rf "$src/get"
}

with_cmake() {
    local name=$1
    shift
    cmake -G Ninja -S "$src/$name" -B "$src/$name/obj" -DCMAKE_TOOLCHAIN_FILE="$here/toolchain.cmake" \
        -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF "$@"
    ninja -C "$src/$name/obj"
    ninja -C "$src/$name/obj" install
}

build_json-c() {
    with_cmake json-c -DBUILD_TESTING=OFF -DBUILD_APPS=OFF -DDISABLE_WERROR=ON -DENABLE_THREADING=OFF
}

build_libyaml() {
    with_cmake libyaml -DBUILD_TESTING=OFF
    cat >"$prefix/lib/pkgconfig/yaml-0.1.pc" <<END
Name: yaml-0.1
Description: YAML parser
Version: 0.2.5
Cflags: -I$prefix/include -DYAML_DECLARE_STATIC
Libs: -L$prefix/lib -lyaml
END
}

build_cmocka() {
    with_cmake cmocka -DWITH_STATIC_LIB=ON -DWITH_EXAMPLES=OFF -DUNIT_TESTING=OFF
    # Only the archive, under the name that -lcmocka looks for.
    mv "$prefix/lib/libcmocka-static.a" "$prefix/lib/libcmocka.a"
    rm -f "$prefix/lib/libcmocka.dll.a" "$prefix/bin/cmocka.dll"
}

# The native configure and make only put the amalgamation together; sqlite3.c is cross-compiled.
build_sqlite3() {
    rm -rf "$src/sqlite3/obj" && mkdir "$src/sqlite3/obj"
    cd "$src/sqlite3/obj"
    ../configure --disable-tcl --disable-readline
    make sqlite3.c
    $host-gcc-posix -O1 -D_WIN32_WINNT=0x0A00 -DSQLITE_THREADSAFE=1 -DSQLITE_OMIT_LOAD_EXTENSION \
        -c sqlite3.c -o sqlite3.o
    $host-ar rcs "$prefix/lib/libsqlite3.a" sqlite3.o
    cp sqlite3.h "$prefix/include/"
    cat >"$prefix/lib/pkgconfig/sqlite3.pc" <<END
Name: sqlite3
Description: SQL database engine
Version: $(cat ../VERSION)
Cflags: -I$prefix/include
Libs: -L$prefix/lib -lsqlite3
END
}

for name in json-c libyaml sqlite3 cmocka; do
    [ -e "$prefix/built-$name" ] && continue
    begun=$SECONDS
    # A new shell: inside `if` bash would ignore set -e.
    if ! "$BASH" -euo pipefail -c "$(declare -f apt_private fetch with_cmake build_$name)
        prefix='$prefix' src='$src' here='$here' host='$host'
        fetch $name; build_$name" >"$log/$name.log" 2>&1; then
        tail -30 "$log/$name.log" >&2
        echo "build-deps: $name failed, see $log/$name.log" >&2
        exit 1
    fi
    touch "$prefix/built-$name"
    echo "$name: built in $((SECONDS - begun)) s"
done
echo "build-deps: ready in $prefix"
