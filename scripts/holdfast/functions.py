# SPDX-License-Identifier: GPL-2.0
"""In which function a line stands, and whether a hunk has found the one that it was made for."""

import re
from dataclasses import dataclass
from typing import Optional, Sequence

from .hunks import Hunk

CODE = re.compile(r".*\.[cS]")                  # where another function is another place
SOURCE = re.compile(r".*\.[chS]")
NAMED = re.compile(r"[A-Za-z_$]")
LABEL = re.compile(r"[A-Za-z_]\w*:\s*($|/[/*])")
# What comes before a name and is none.
ATTRIBUTES = ("__attribute__", "__aligned", "__printf", "__acquires", "__releases", "__must_hold", "__section")


@dataclass
class Place:
    heading: str = ""           # the line that the function begins with, or what stands in its place
    inside: bool = False        # in its braces, and not after their end or among declarations
    closed: bool = False        # after the end of a function

    def name(self) -> str:
        return name_of(self.heading)


def name_of(heading: str) -> str:
    """Of the function, whatever else is said of it: `static` comes and goes."""
    heading = re.sub(r"/\*.*?(\*/|$)|//.*", "", heading)
    macro = re.match(r"[A-Z0-9_]*DEFINE[A-Z0-9_]*\((\w+)", heading)
    if macro:
        return macro[1]
    for match in re.finditer(r"(\w+)\s*\(", heading):
        if match[1] not in ATTRIBUTES:
            return match[1]
    words = re.sub(r"\b(static|const|extern|inline)\b|[{=;]", " ", heading).split()
    return " ".join(words)


def place_of(path: str, lines: Sequence[str], at: int) -> Place:
    """Of the line `at`, counted from 0."""
    place = Place()
    braces = False
    for line in reversed(lines[:at]):
        if line.startswith("}"):
            place.closed = place.closed or not braces
        elif line.startswith("{"):
            braces = True
        elif NAMED.match(line) and not LABEL.match(line):
            place.heading = line.rstrip()
            break
    braces = braces or place.heading.endswith("{") or is_option(path)
    place.inside = bool(place.heading) and braces and not place.closed
    return place


def is_option(path: str) -> bool:
    """Kconfig has no braces, and what is said under another option is said of that one."""
    return path.rsplit("/", 1)[-1].startswith("Kconfig")


def where_in(path: str, lines: Sequence[str], at: int) -> str:
    """The function that line `at` is in or begins, as a reader looks for it; nothing in a text that
    has none."""
    if path.endswith(".rst") or path == "MAINTAINERS":
        return ""
    begins = at < len(lines) and re.match(r"[a-zA-Z_].*\w\(|(struct|union|enum) \w+ \{", lines[at])
    heading = place_of(path, lines, at + 1 if begins else at).heading
    if not heading:
        return "top of the file"
    if "(" in heading and SOURCE.fullmatch(path):
        return f"{name_of(heading)}()"
    return re.sub(r"\s*[{=;]*$", "", heading)


@dataclass
class Elsewhere:
    """A hunk that stands under another heading than the one it was made under."""
    here: Place
    heading: str                # that one
    wrong: bool                 # in the body of another function

    def __str__(self) -> str:
        return f"under '{self.here.heading}', not under '{self.heading}'"


def elsewhere(path: str, hunk: Hunk, lines: Sequence[str], start: int, base: Optional[Sequence[str]]) -> Optional[Elsewhere]:
    """Whether a hunk that was found at line `start` is in the same function as in the file that it
    was made on, or nothing. Without that file its own heading has to do."""
    old = hunk.side("+")
    first = hunk.first_change()
    if place_of(path, old, first).heading:
        return None                             # it is among the lines that have to fit
    here = place_of(path, lines, start + first)
    if base is None:
        there = Place(hunk.heading, not here.closed)
        same = bool(hunk.heading) and here.heading.startswith(hunk.heading)     # git cuts long ones
    else:
        there = place_of(path, base, max(hunk.old - 1, 0) + first)
        same = False
    if same or here.name() == there.name():
        return None
    wrong = bool(CODE.fullmatch(path) or is_option(path)) and (here.inside or there.inside and bool(base))
    return Elsewhere(here, there.heading, wrong)
