# SPDX-License-Identifier: GPL-2.0
"""The series without race points and bypasses.

They are taken out by lines, and the code keeps to rules that make this possible: a point is
a statement of its own, a bypass is `if (race_bypass(x))` and one statement. What cannot be
taken out so is an error; it is never left behind.
"""

import itertools
import re
from dataclasses import replace
from typing import Optional

from . import Fatal, raw, text
from .repo import Commit, File

HINT = re.compile(r"(?<!t)race_|race-point|RACE_POINT")
POINT = re.compile(r"[ \t]*race_(hold|spin|count)(_file)?\(")
BYPASS = re.compile(r"[ \t]*if \(race_bypass(_mm)?\(")
BYPASS_ALONE = re.compile(r"[ \t]*if \(race_bypass(\([A-Za-z0-9_]*\)|_mm\([A-Za-z0-9_]*, [^()]*\))\)")
DECLARATION = re.compile(r"[ \t]*#[ \t]*include[ \t]*[<\"][^>\"]*race_point|[ \t]*#[ \t]*define[ \t]+CREATE_RACE_POINTS")
ANY_USE = re.compile(r"(^|[^A-Za-z0-9_])(race_(hold|spin|count|bypass|point)(_file|_mm)?\(|(CREATE|CONFIG)_RACE_POINTS)")
# What is no part of the kernel itself
NO_KERNEL = re.compile(r"tools/|Documentation/|MAINTAINERS$")
# More lines than that have lost their end.
LONGEST = 6

CONTROL = re.compile(r"[ \t]*(if|for|while|do|switch)[^a-z_]")
COMMENT_ALONE = re.compile(r"[ \t]*/\*(?!.*\*/.*[^ \t])")
COMMENT_AFTER = re.compile(r"[ \t]*(/\*.*\*/|//.*)?[ \t]*$")

TEXT = re.compile(r"(.*/)?Kconfig.*|.*/Makefile.*|.*/Kbuild|MAINTAINERS|.*/index\.rst")
MENTION = re.compile(r"race[-_]point|RACE_POINT")
OPTION = re.compile(r"(menu)?config [A-Z0-9_]*RACE_POINT")
SOURCE = re.compile(r"[ \t]*(?:source +.(.*).|-?include +\$\(srctree\)/(.*))$")
LIST = re.compile(r"(.*/)?(Kconfig|Makefile).*")
FRAME = re.compile(r"\s*(#.*|(end)?menu.*)?")
OUR_FILE = re.compile(r"F:.*(race[-_]point|\tlocalversion|\ttools/testing/)")


class Unfit(Exception):
    """Why a line, counted from 0, cannot be taken out."""

    def __init__(self, at: int, why: str):
        super().__init__(f"line {at + 1} has {why}")


# --- lines -------------------------------------------------------------------------

class Kept:
    """The lines that stay. Blank lines that only a dropped one had between them go with it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.blanks: list[str] = []         # as they were: the kernel's own may have tabs
        self.dropped = False

    def drop(self) -> None:
        self.dropped = True

    def keep(self, line: str) -> None:
        if not line.strip(" \t"):
            if not (self.dropped and self.blanks):
                self.blanks.append(line)
            return
        last = self.lines[-1] if self.lines else ""
        if self.dropped and (line.lstrip(" \t").startswith("}") or last == "" or last.endswith("{")):
            self.blanks = []
        self.lines += [*self.blanks, line]
        self.blanks = []
        self.dropped = False

    def end(self) -> list[str]:
        return self.lines + ([] if self.dropped else self.blanks)


class Blanked(Kept):
    """An empty line for each that is dropped, so that __LINE__ stays."""

    def drop(self) -> None:
        self.lines.append("")

    def keep(self, line: str) -> None:
        self.lines.append(line)


def ends_with(line: str, mark: str) -> bool:
    return line.rstrip(" \t").endswith(mark)


# --- C -----------------------------------------------------------------------------

def strip_code(lines: list[str], kept: Kept, base: str = "") -> None:
    """C without its points, each with the comment right above it, unless the kernel's own file
    has that comment: it is about what follows the point. Blanked code is for the compiler, which
    reads no comments."""
    blank = isinstance(kept, Blanked)
    before = ""
    at = 0
    while at < len(lines):
        line = lines[at]
        if COMMENT_ALONE.match(line) and not blank:
            end = comment_end(lines, at)
            if end == len(lines) or not is_point(lines[end]) or "\n".join(lines[at:end]) in base:
                keep_code(lines, at, end, kept)
        elif is_point(line):
            if not blank:
                check_own_statement(before, at)
            end = bypass_end(lines, at) if BYPASS.match(line) else statement_end(lines, at, at + LONGEST + 1)
            for _ in range(at, end):
                kept.drop()
        elif DECLARATION.match(line):
            end = at + 1
            kept.drop()
        else:
            end = at + 1
            if blank:
                kept.keep(line)
            else:
                keep_code(lines, at, end, kept)
            if line.strip(" \t") and not line.lstrip(" \t").startswith("//"):
                before = COMMENT_AFTER.sub("", line, count=1)
        at = end


def is_point(line: str) -> bool:
    return bool(POINT.match(line) or BYPASS.match(line))


def keep_code(lines: list[str], at: int, end: int, kept: Kept) -> None:
    for number in range(at, end):
        if ANY_USE.search(lines[number]):
            raise Unfit(number, "a use of race points that cannot be taken out by lines")
        kept.keep(lines[number])


def comment_end(lines: list[str], at: int) -> int:
    for end in range(at, len(lines)):
        if "*/" in lines[end]:
            return end + 1
    return len(lines)


def check_own_statement(before: str, at: int) -> None:
    """A point may go only where it is not the body of an if, else or loop."""
    if before and before[-1] not in ";{}:" and not before.lstrip(" \t").startswith("#"):
        raise Unfit(at, "a race point that is not a statement of its own")


def statement_end(lines: list[str], at: int, limit: int) -> int:
    for end in range(at, min(limit, len(lines))):
        if ends_with(lines[end], ";"):
            return end + 1
    raise Unfit(at, "a race point without an end")


def bypass_end(lines: list[str], at: int) -> int:
    """Of `if (race_bypass(x))` and the one statement that it is for."""
    condition, body = bypass_condition(lines, at)
    if not BYPASS_ALONE.match(condition):
        raise Unfit(at, "a race_bypass() that does not stand alone in its condition")
    rest = BYPASS_ALONE.sub("", condition, count=1)
    if ends_with(rest, ";"):
        return body
    block = Unfit(at, "more than one statement under race_bypass()")
    if ends_with(rest, "{"):
        raise block
    end = statement_end(lines, body, at + LONGEST)
    if any(CONTROL.match(line) or ends_with(line, "{") for line in lines[body:end]):
        raise block
    return end


def bypass_condition(lines: list[str], at: int) -> tuple[str, int]:
    """From `if` to the end of the line that closes its parenthesis, and what line is next."""
    condition = ""
    for end in range(at, min(at + LONGEST, len(lines))):
        condition += lines[end]
        if condition.count("(") == condition.count(")"):
            return condition, end + 1
    raise Unfit(at, "a race point without an end")


# --- other text ----------------------------------------------------------------------

def strip_text(lines: list[str], kept: Kept, gone: set[str]) -> None:
    """Options, and lines of Makefiles and tables of contents; `gone` are Kconfig files and
    Makefiles that nothing may include any more."""
    in_option = False
    for line in lines:
        source = SOURCE.match(line)
        if OPTION.match(line):
            in_option = True
            kept.drop()
        elif in_option and (not line or line[0] in " \t"):
            continue
        elif MENTION.search(line) or (source and (source[1] or source[2]) in gone):
            in_option = False
            kept.drop()
        else:
            in_option = False
            kept.keep(line)


def strip_maintainers(lines: list[str], kept: Kept) -> None:
    """An entry goes with the last of its files."""
    for blank, group in itertools.groupby(lines, key=lambda line: line == ""):
        entry = list(group)
        rest = [line for line in entry if not OUR_FILE.match(line)]
        if not blank and len(rest) < len(entry) and not any(line.startswith("F:") for line in rest):
            kept.drop()
            continue
        for line in rest:
            if MENTION.search(line):
                kept.drop()
            else:
                kept.keep(line)


# --- files and commits -----------------------------------------------------------------

def stripped(file: File, path: str, gone: set[str], blank: bool = False, base: Optional[File] = None) -> Optional[File]:
    """The file without points; nothing where it is all about them, as the selftests are, which
    need them. The base is what the kernel has there itself."""
    if path.startswith("tools/testing/"):
        return file if blank else base
    if "race_point" in path or "race-point" in path or path.startswith("localversion"):
        return file if blank else None
    code = re.search(r"\.[chS]$", path)
    if not code and (blank or not TEXT.fullmatch(path)):
        return file
    data = text(file.data)
    if not LIST.fullmatch(path) and not HINT.search(data):
        return file
    newline = data.endswith("\n")
    lines = data.removesuffix("\n").split("\n")
    kept = Blanked() if blank else Kept()
    if code:
        strip_code(lines, kept, text(base.data) if base else "")
    elif path == "MAINTAINERS":
        strip_maintainers(lines, kept)
    else:
        strip_text(lines, kept, gone)
    lines = kept.end()
    # A Kconfig file or Makefile with nothing but a frame is gone as well, until something is in it.
    if LIST.fullmatch(path) and all(FRAME.fullmatch(line) for line in lines):
        return None
    return replace(file, data=raw("\n".join(lines) + ("\n" if newline and lines else "")))


class Stripper:
    """Files without their points, as the series goes on."""

    def __init__(self, base: dict[str, File]) -> None:
        self.base = base
        self.now: dict[str, Optional[File]] = {}        # with points
        self.gone: set[str] = set()                     # lists that are empty without

    def file(self, path: str) -> Optional[File]:
        file = self.now[path]
        return stripped(file, path, self.gone, base=self.base.get(path)) if file else None

    def change(self, changes: dict[str, Optional[File]]) -> set[str]:
        """The paths that a commit may change without points."""
        self.now |= changes
        before = set(self.gone)
        for path in sorted(changes):
            if LIST.fullmatch(path):
                self.gone.discard(path)
                if not self.file(path):
                    self.gone.add(path)
        if self.gone == before:
            return set(changes)
        # one that comes or goes changes those that include it
        return set(changes) | {path for path in self.now if LIST.fullmatch(path)}


def without_points(commits: list[Commit], base: dict[str, File]) -> list[Commit]:
    """The commits that are left, on the same base, of which the files that they touch are given."""
    stripper = Stripper(base)
    now: dict[str, Optional[File]] = dict(base)         # without points
    waiting: set[str] = set()
    result = []
    for commit in commits:
        try:
            paths = stripper.change(commit.changes) | waiting
            changes = {}
            for path in sorted(paths):
                file = stripper.file(path)
                if file != now.get(path):
                    changes[path] = file
        except Unfit as why:
            subject = commit.message.split("\n")[0]
            raise Fatal(f"'{subject}' keeps its points: {path}, {why}; make it lines of their own") from None
        # An entry in MAINTAINERS alone is no patch. It comes with the next one that brings a file
        # of the kernel: a fix of what is there has nothing to maintain.
        brings = any(file and path not in base and not NO_KERNEL.match(path) for path, file in changes.items())
        if "MAINTAINERS" in changes and not brings and (set(changes) == {"MAINTAINERS"} != paths
                                                        or "MAINTAINERS" not in commit.changes):
            waiting = {"MAINTAINERS"}
            del changes["MAINTAINERS"]
        elif "MAINTAINERS" in changes:
            waiting = set()
        if changes:
            now |= changes
            result.append(replace(commit, changes=changes, id=""))
    for path in waiting if result else ():
        result[-1].changes[path] = stripper.file(path)
    return result
