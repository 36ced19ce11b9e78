#!/bin/sh
# Runs one Windows program under Wine without touching the user's ~/.wine or any display.
#
#     tools/mingw/wine.sh WINE PROGRAM.exe [ARG...]
#
# The first run makes the prefix below build/ (half a minute), later ones use it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
wine=$1
shift
export WINEPREFIX="${WINEPREFIX:-$here/../../build/wine}" WINEARCH=win64 WINEDEBUG=-all
export WINEDLLOVERRIDES="mscoree,mshtml=;winemenubuilder.exe=d"
unset DISPLAY WAYLAND_DISPLAY

mkdir -p "$WINEPREFIX"
WINEPREFIX=$(cd "$WINEPREFIX" && pwd)
# Tests run side by side: one makes the prefix, the others wait for it.
(
    flock 9
    [ -e "$WINEPREFIX/ready" ] || { "$wine" wineboot -i </dev/null >/dev/null 2>&1 && touch "$WINEPREFIX/ready"; }
) 9>"$WINEPREFIX.lock"
exec "$wine" "$@" </dev/null
