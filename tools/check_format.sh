#!/bin/sh
# Is every C file laid out as clang-format would lay it out?
#
#     tools/check_format.sh [ROOT]
#
# Other major versions of clang-format break lines elsewhere, so only the one the tree is written
# with is asked; with another one, or none, the answer is 77: skipped.
set -u
VERSION=14
cd "${1:-.}" || exit 1

tool=
for candidate in clang-format-$VERSION clang-format; do
    if "$candidate" --version 2>/dev/null | grep -q "version $VERSION\."; then
        tool=$candidate
        break
    fi
done
if [ -z "$tool" ]; then
    echo "format: skipped, there is no clang-format $VERSION"
    exit 77
fi
if git rev-parse --git-dir >/dev/null 2>&1; then
    git ls-files -z '*.c' '*.h'
else
    find . -path ./build -prune -o -name '*.[ch]' -print0
fi | xargs -0 "$tool" --dry-run -Werror && echo "format: ok"
