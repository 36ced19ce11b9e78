#!/usr/bin/env python3
"""Words that may not occur, each with the reason.

    tools/check_banned.py [ROOT]

Comments and string literals do not count, except for the last rule, which is about comments.
"""
import pathlib
import re
import sys

RULES = [
    # (pattern, folders (None: all), exempt path prefixes, why)
    (r"\b(fork|vfork|clone|clone3)\s*\(",
     ["agent", "api", "reconciler", "images", "builder", "state", "netdrivers"], [],
     "a threaded process starts others with process_spawn() only"),
    (r"\b_WIN32\b|\b_WIN64\b|\b__MINGW\w+\b",
     None, ["base/compiler.h", "base/win32/", "runtime-windows/"],
     "platforms differ in base/posix and base/win32, not line by line"),
]
OWNERLESS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b(?!\(\w)")
SKIP = {"build", "third_party", ".git"}
# A comment, a string or a character; or code, which is kept.
TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def blank(text):
    """The text with comments and literals replaced by as many lines of nothing."""
    return TOKEN.sub(lambda m: '""' + "\n" * m.group(0).count("\n"), text)


def violations(root):
    for path in sorted(root.rglob("*.[ch]")):
        name = path.relative_to(root)
        if SKIP & set(name.parts) or name.parts[0].startswith("build"):
            continue
        text = path.read_text()
        for number, line in enumerate(blank(text).splitlines(), 1):
            for pattern, folders, exempt, why in RULES:
                if folders is not None and name.parts[0] not in folders:
                    continue
                if any(str(name).startswith(prefix) for prefix in exempt):
                    continue
                found = re.search(pattern, line)
                if found:
                    yield f"{name}:{number}: {found.group(0).strip('( ')}: {why}"
        for number, line in enumerate(text.splitlines(), 1):
            if OWNERLESS.search(line):
                yield f"{name}:{number}: write TODO(name), or do it"


def main():
    found = list(violations(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")))
    print("\n".join(found) or "banned: ok")
    return 1 if found else 0


sys.exit(main())
