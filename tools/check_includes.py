#!/usr/bin/env python3
"""Who may include whom.  docs/architecture.md draws this table; here it is enforced.

    tools/check_includes.py [ROOT]

Fails when a folder includes a header of a folder it does not list, or any folder includes another
folder's *_internal.h.
"""
import pathlib
import re
import sys

MAY_INCLUDE = {
    "base":            [],
    "core":            ["base"],
    "state":           ["base", "core"],
    "logdrivers":      ["base", "core"],
    "voldrivers":      ["base", "core"],
    "netdrivers":      ["base", "core"],
    "runtime-linux":   ["base", "core", "logdrivers"],
    "runtime-windows": ["base", "core", "logdrivers"],
    "compose":         ["base", "core"],
    "images":          ["base", "core", "state"],
    "builder":         ["base", "core", "state", "images"],
    "reconciler":      ["base", "core", "state", "images", "compose"],
    "api":             ["base", "core", "state", "images", "builder", "reconciler"],
    "cli":             ["base", "core"],
    "agent":           None,  # the composition root: anything
    "examples":        None,
    "tests":           None,
}

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def violations(root):
    for folder, allowed in MAY_INCLUDE.items():
        for path in sorted((root / folder).rglob("*.[ch]")):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                found = INCLUDE.match(line)
                if not found:
                    continue
                target = found.group(1)
                owner = target.split("/")[0]
                where = f"{path.relative_to(root)}:{number}"
                if owner not in MAY_INCLUDE:
                    yield f"{where}: \"{target}\" is not spelled from the root"
                elif owner == folder:
                    continue
                elif target.endswith("_internal.h") and folder != "tests":
                    yield f"{where}: {target} is private to {owner}/"
                elif allowed is not None and owner not in allowed:
                    yield f"{where}: {folder}/ may not include {owner}/"


def main():
    found = list(violations(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")))
    print("\n".join(found) or "includes: ok")
    return 1 if found else 0


sys.exit(main())
