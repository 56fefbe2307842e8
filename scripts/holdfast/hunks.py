# SPDX-License-Identifier: GPL-2.0
"""Diffs as git makes them, and where their hunks fit."""

import re
from dataclasses import dataclass, field
from typing import Callable, Iterable, Iterator, Optional

FILE = re.compile(r"diff --git a/(.*) b/(.*)")
HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)")
NOT_GIT = "holds a diff that is not git's; make it with git format-patch"


class BadDiff(Exception):
    """What is wrong with it, to follow the name of the patch."""


@dataclass
class Hunk:
    number: int
    old: int                    # first line before, and after the change
    new: int
    heading: str                # the function, as git names it
    lines: list[tuple[str, str]] = field(default_factory=list)     # (' ', '-' or '+', line with its end)

    def side(self, without: str) -> list[str]:
        return [line for kind, line in self.lines if kind != without]

    def first_change(self) -> int:
        """How many lines of context it begins with."""
        return next((number for number, (kind, _) in enumerate(self.lines) if kind != " "), 0)

    def trailing(self) -> bool:
        return self.lines[-1][0] == " "

    def reverse(self) -> "Hunk":
        other = {" ": " ", "-": "+", "+": "-"}
        return Hunk(self.number, self.new, self.old, self.heading,
                    [(other[kind], line) for kind, line in self.lines])


@dataclass
class FileDiff:
    path: str
    blob: str = ""              # of what it was made on, abbreviated
    mode: str = ""              # the new one, where it changes
    deletes: bool = False
    hunks: list[Hunk] = field(default_factory=list)


# Of a hunk, the text so far, the line at which it was found, and how far that is from its place
Accept = Callable[[Hunk, list[str], int, int], bool]


class DoesNotFit(Exception):
    def __init__(self, hunk: Hunk):
        super().__init__()
        self.hunk = hunk


def parse(diff: str) -> list[FileDiff]:
    files: list[FileDiff] = []
    lines = diff.split("\n")
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        if line.startswith("diff --git "):
            files.append(_file(line))
        elif line.startswith("@@ ") and files:
            at = _hunk(lines, at, files[-1])
        elif files and not files[-1].hunks:
            _header(line, files[-1])
        elif line.startswith("--- "):
            raise BadDiff(NOT_GIT)
    if not files and diff.strip():
        raise BadDiff(NOT_GIT)
    return files


def _file(line: str) -> FileDiff:
    # both names are the same, so that the middle is known
    path = line[13:13 + (len(line) - 16) // 2]
    if line != f"diff --git a/{path} b/{path}":
        raise BadDiff(f"renames {line.split()[2]}; a new file belongs into the repository and the manifest")
    return FileDiff(path)


def _header(line: str, file: FileDiff) -> None:
    """A line between a file's first and its hunks."""
    if line.startswith("new file mode "):
        raise BadDiff(f"creates {file.path}; a new file belongs into the repository and the manifest")
    if line.startswith(("GIT binary patch", "Binary files ")):
        raise BadDiff(f"changes {file.path}, which is binary; carry it as a new file")
    if line.startswith("index "):
        file.blob = line.split()[1].split("..")[0]
    elif line.startswith("new mode "):
        file.mode = line.split()[2]
    elif line.startswith("deleted file mode "):
        file.deletes = True


def _hunk(lines: list[str], at: int, file: FileDiff) -> int:
    """Line `at` follows the hunk's first; returns where it ends."""
    match = HUNK.fullmatch(lines[at - 1])
    bad = BadDiff(f"has a hunk on {file.path} that is cut or edited wrongly ({lines[at - 1]}); "
                  "make it with git format-patch")
    if not match:
        raise bad
    old, new = (int(match[group] or 1) for group in (2, 4))
    hunk = Hunk(len(file.hunks) + 1, int(match[1]), int(match[3]), match[5])
    while (old or new) and at < len(lines):
        # a context line that is empty may have lost its blank
        kind, line = lines[at][:1] or " ", lines[at][1:] + "\n"
        at += 1
        if kind == "\\":
            _no_newline(hunk)
            continue
        if kind not in " -+":
            raise bad
        old -= kind != "+"
        new -= kind != "-"
        hunk.lines.append((kind, line))
    if old or new or not hunk.lines:
        raise bad
    if at < len(lines) and lines[at].startswith("\\"):
        _no_newline(hunk)
    file.hunks.append(hunk)
    return at


def _no_newline(hunk: Hunk) -> None:
    kind, line = hunk.lines[-1]
    hunk.lines[-1] = kind, line[:-1]


def split_lines(data: str) -> list[str]:
    """With their ends, and at newlines alone."""
    return re.findall(r"[^\n]*\n|[^\n]+", data)


def apply(data: str, hunks: list[Hunk], accept: Accept = lambda *_: True) -> tuple[str, list[int]]:
    """The text with the hunks, and how many lines from its place each was found."""
    result, offsets = place(data, hunks, accept)
    found = []
    for hunk, offset in zip(hunks, offsets):
        if offset is None:
            raise DoesNotFit(hunk)
        found.append(offset)
    return result, found


def place(data: str, hunks: list[Hunk], accept: Accept = lambda *_: True) -> tuple[str, list[Optional[int]]]:
    """The text with those hunks that fit, and how many lines from its place each was found: as
    git apply finds them, with all of their context, the nearest first, forward before back, and
    never in what another hunk has touched. A place that is not accepted is none."""
    lines = split_lines(data)
    taken = bytearray(len(lines))
    offsets: list[Optional[int]] = []
    absent = 0                  # lines that the hunks without a place would have added
    for hunk in hunks:
        before, after = hunk.side("+"), hunk.side("-")
        start = max(hunk.new - 1, 0) - absent
        found = _find(lines, taken, before, start, hunk)
        if found is None or not accept(hunk, lines, found, found - start):
            absent += len(after) - len(before)
            offsets.append(None)
            continue
        lines[found:found + len(before)] = after
        taken[found:found + len(before)] = b"\1" * len(after)
        offsets.append(found - start)
    return "".join(lines), offsets


def _find(lines: list[str], taken: bytearray, before: list[str], start: int, hunk: Hunk) -> Optional[int]:
    def fits(place: int) -> bool:
        end = place + len(before)
        return lines[place:end] == before and not any(taken[place:end])

    last = len(lines) - len(before)
    if last < 0:
        return None
    # A hunk without context above or below it is for the first or the last line.
    places: Iterable[int]
    if hunk.old <= 1:
        places = [0] if hunk.trailing() or last == 0 else []
    elif not hunk.trailing():
        places = [last]
    else:
        places = _nearest(min(start, last), last)
    return next((place for place in places if fits(place)), None)


def _nearest(start: int, last: int) -> Iterator[int]:
    yield start
    for distance in range(1, last + 1):
        if start + distance <= last:
            yield start + distance
        if start >= distance:
            yield start - distance
