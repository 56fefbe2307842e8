# SPDX-License-Identifier: GPL-2.0
"""What commit messages say for stable, and of other commits."""

import re

STABLE = re.compile(r"^Cc:.*\bstable@", re.M | re.I)
FIXES = re.compile(r"^Fixes:.*", re.M | re.I)
FIXES_WELL = re.compile(r'Fixes: [0-9a-f]{12} \(".+"\)')
# An id has a digit: "commit effaced" is no such thing.
ID = r"(?=[a-f]*[0-9])[0-9a-f]{7,40}\b"
NAMED = re.compile(rf'\bcommits?\s+({ID})|\b({ID})(?=\s+\(")', re.I)
# A title may be broken where a line ends, and have quotes of its own.
TITLE = re.compile(r'\s+\("(?:[^\n]|\n(?!\s*\n))+?"\)')
# As stable trees have it above a message.
BACKPORT = re.compile(r"^(?:commit [0-9a-f]{40} upstream\.|\[ Upstream commit [0-9a-f]{40} \])$", re.M)
UPSTREAM = re.compile(r"upstream|mainline", re.I)


def for_stable(message: str) -> bool:
    return bool(STABLE.search(message))


def ill_named(message: str) -> list[str]:
    """Commits that are not named by 12 digits and their title in quotes and parentheses."""
    found = [line for line in FIXES.findall(message) if not FIXES_WELL.fullmatch(line)]
    rest = BACKPORT.sub("", FIXES.sub("", message))
    for match in NAMED.finditer(rest):
        name = match[1] or match[2]
        if not re.fullmatch("[0-9a-f]{12}", name) or not TITLE.match(rest, match.end()):
            found.append(" ".join(rest[match.start():].split("\n\n")[0].split())[:72])
    return found


def names_origin(message: str) -> bool:
    """The commit that brought the bug, or what upstream has against it."""
    if BACKPORT.search(message) or any(FIXES_WELL.fullmatch(line) for line in FIXES.findall(message)):
        return True
    return any(UPSTREAM.search(paragraph) and any(match[1] and TITLE.match(paragraph, match.end())
                                                  for match in NAMED.finditer(paragraph))
               for paragraph in message.split("\n\n"))
