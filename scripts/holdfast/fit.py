# SPDX-License-Identifier: GPL-2.0
"""How the series fits a tree that is not its base: all patches are tried, in their order, and
what misfits is merged with the file that its patch was made on."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from . import GIT, Fatal, git_environment, hunks, raw, run, text
from .functions import elsewhere, place_of, where_in
from .hunks import Accept, FileDiff, Hunk
from .repo import Commit, File

# Longer than any line of a kernel file that is one of theirs
PARSED = 40
MARKERS = 7


@dataclass
class Patch:
    name: str
    commit: Commit              # who, when and why
    files: list[FileDiff]
    brings: dict[str, File]     # its new files
    # The files that its hunks change, before and after it, where the base is there
    sides: dict[str, tuple[Optional[File], Optional[File]]] = field(default_factory=dict)

    def subject(self) -> str:
        return self.commit.message.split("\n")[0]


@dataclass
class Region:
    """Of a file, that could not be merged."""
    path: str
    patch: Patch
    function: str               # or what stands in its place
    why: str = ""               # in its place, where it is none of lines


@dataclass
class Conflict:
    """Of a merged text."""
    line: int                   # counted from 1, where its first marker is
    ours: list[str]
    base: list[str]
    theirs: list[str]
    function: str


@dataclass
class Row:
    patch: Patch
    fit: int = 0
    moved: int = 0
    merge: int = 0
    conflict: int = 0
    regions: list[Region] = field(default_factory=list)
    changes: dict[str, Optional[File]] = field(default_factory=dict)

    def hunks(self) -> int:
        return self.fit + self.moved + self.merge + self.conflict


class Trial:
    """The patches one after the other, on the files of a tree. Where one conflicts the tree's own
    lines stay and the next is tried on them: from there on numbers are estimates."""

    def __init__(self, base: dict[str, File], patches: list[Patch], scratch: Path):
        self.now: dict[str, Optional[File]] = dict(base)
        self.scratch = scratch
        self.moves: list[str] = []          # hunks that are not where they were
        self.looks: list[str] = []          # and those that somebody should look at
        self.rows = [self._row(patch) for patch in patches]

    # --- what came of it ---

    def exact(self) -> bool:
        return all(row.fit == row.hunks() for row in self.rows) and not self.looks

    def count(self, column: str) -> int:
        return sum(getattr(row, column) for row in self.rows)

    def first_conflict(self) -> Optional[int]:
        return next((number for number, row in enumerate(self.rows) if row.conflict), None)

    def regions(self) -> list[Region]:
        return [region for row in self.rows for region in row.regions]

    def commits(self) -> list[Commit]:
        return [Commit(row.patch.commit.author, row.patch.commit.committer, row.patch.commit.message, row.changes)
                for row in self.rows]

    def table(self) -> list[str]:
        lines = [["patch", "hunks", "fit", "moved", "merge", "conflict", "file: function"]]
        for row in self.rows:
            numbers = [row.hunks(), row.fit, row.moved, row.merge, row.conflict]
            lines.append([row.patch.name.removesuffix(".patch"), *map(str, numbers), where(row.regions)])
        total = [sum(row.hunks() for row in self.rows), *map(self.count, ("fit", "moved", "merge", "conflict"))]
        lines.append(["sum", *map(str, total), ""])
        widths = [max(len(line[column]) for line in lines) for column in range(6)]
        return [" | ".join([line[0].ljust(widths[0]), *(word.rjust(width) for word, width in zip(line[1:6], widths[1:])),
                            line[6]]).rstrip() for line in lines]

    # --- how it goes ---

    def _row(self, patch: Patch) -> Row:
        row = Row(patch)
        for diff in patch.files:
            file = row.changes.get(diff.path, self.now.get(diff.path))
            if file:
                row.changes[diff.path] = self._file(row, diff, file)
            else:
                row.conflict += max(len(diff.hunks), 1)
                row.regions.append(Region(diff.path, patch, "", "the tree does not have it"))
        for path, new in patch.brings.items():
            row.changes[path] = new
        row.changes = {path: file for path, file in row.changes.items() if file != self.now.get(path)}
        self.now |= row.changes
        return row

    def _file(self, row: Row, diff: FileDiff, file: File) -> Optional[File]:
        """The file with those hunks that fit or merge, or nothing where the patch removes it."""
        before, after = row.patch.sides.get(diff.path, (None, None))
        data, offsets = hunks.place(text(file.data), diff.hunks, self._accept(row.patch, diff, file, before))
        if diff.deletes and data:
            row.conflict += len(diff.hunks)
            row.regions.append(Region(diff.path, row.patch, "", "the series removes it, and it has more in it"))
            return file
        row.fit += offsets.count(0)
        row.moved += len([offset for offset in offsets if offset])
        if diff.deletes:
            return None
        mode = diff.mode or file.mode
        wrong = [hunk for hunk, offset in zip(diff.hunks, offsets) if offset is None]
        if not wrong:
            return File(mode, raw(data))
        if not before or not after:
            row.conflict += len(wrong)
            row.regions += [Region(diff.path, row.patch, function_of(diff.path, hunk)) for hunk in wrong]
            return File(mode, raw(data))
        merged = Merge(diff.path, file, before, after, self.scratch)
        conflicts = merged.conflicts()
        claimed = claims(conflicts, wrong)
        row.conflict += len(claimed)
        row.merge += len(wrong) - len(claimed)
        row.regions += [Region(diff.path, row.patch, conflict.function) for conflict in conflicts]
        return File(mode, merged.ours())

    def _accept(self, patch: Patch, diff: FileDiff, file: File, before: Optional[File]) -> Accept:
        """Whether a hunk may stand where it was found: not in another function."""
        base = hunks.split_lines(text(before.data)) if before else None
        known = file.oid == before.oid if before else bool(diff.blob) and file.oid.startswith(diff.blob)

        def accept(hunk: Hunk, lines: list[str], at: int, offset: int) -> bool:
            if known and not offset:
                return True
            what = f"{patch.name}: {diff.path}: hunk {hunk.number}"
            other = elsewhere(diff.path, hunk, lines, at, base)
            if other and other.wrong:
                self.looks.append(f"{what} would fit at line {at + 1}, but {other}: not taken there")
                return False
            if other:
                self.looks.append(f"{what} is at line {at + 1}, {other}: look at it")
            elif offset:
                heading = place_of(diff.path, lines, at + hunk.first_change()).heading
                self.moves.append(f"{what} moved by {offset} to line {at + 1}" + (f", {heading}" if heading else ""))
            return True

        return accept


def function_of(path: str, hunk: Hunk) -> str:
    """Of a hunk that has no place."""
    return where_in(path, [hunk.heading + "\n", "{\n", *hunk.side("+")], hunk.first_change() + 2)


def where(regions: list[Region]) -> str:
    """`file: function, function; file: function`, each once."""
    files: dict[str, dict[str, None]] = {}
    for region in regions:
        files.setdefault(region.path, {})[region.function or region.why] = None
    return "; ".join(f"{path}: {', '.join(filter(None, names))}".removesuffix(": ") for path, names in files.items())


# --- merging -----------------------------------------------------------------------------

class Merge:
    """Of what two have made of one file."""

    def __init__(self, path: str, ours: File, base: File, theirs: File, scratch: Path):
        self.path = path
        self.names = []
        for name, file in (("ours", ours), ("base", base), ("theirs", theirs)):
            (scratch / name).write_bytes(file.data)
            self.names.append(str(scratch / name))

    def _run(self, *options: str) -> bytes:
        done = run([*GIT, "merge-file", "-p", "-q", *options, *self.names], env=git_environment())
        if done.returncode not in range(128):
            raise Fatal(f"{self.path} cannot be merged; is it a text?")
        return done.stdout

    def ours(self) -> bytes:
        """The text, with our side of each conflict."""
        return self._run("--ours")

    def marked(self, labels: list[str]) -> bytes:
        """The text with markers."""
        words = [word for label in labels for word in ("-L", label)]
        return self._run("--zdiff3", f"--marker-size={MARKERS}", *words)

    def conflicts(self) -> list[Conflict]:
        lines = hunks.split_lines(text(self._run("--zdiff3", f"--marker-size={PARSED}")))
        start, bar, middle, end = (mark * PARSED for mark in "<|=>")
        found = []
        plain: list[str] = []           # the text with our side of each conflict
        parts: list[list[str]] = []
        first = 0
        for number, line in enumerate(lines, 1):
            if line.startswith(start):
                first, parts = number, [[]]
            elif line.startswith((bar, middle)):
                parts.append([])
            elif line.startswith(end):
                ours, base, theirs = parts
                found.append(Conflict(first, ours, base, theirs, self._function(plain, base, theirs)))
                plain += ours
                parts = []
            elif parts:
                parts[-1].append(line)
            else:
                plain.append(line)
        return found

    def _function(self, before: list[str], base: list[str], theirs: list[str]) -> str:
        """That in which the first line stands that theirs have changed."""
        side = theirs if [line for line in theirs if line not in base] else base
        other = base if side is theirs else theirs
        first = next((number for number, line in enumerate(side) if line not in other), 0)
        return where_in(self.path, before + side, len(before) + first)


def claims(conflicts: list[Conflict], misfits: list[Hunk]) -> set[int]:
    """The numbers of the hunks that the conflicts are of: those that change the same lines. A
    conflict is of one hunk at least."""
    claimed: set[int] = set()
    for conflict in conflicts:
        added, removed = set(conflict.theirs) - set(conflict.base), set(conflict.base) - set(conflict.theirs)
        mine = {hunk.number for hunk in misfits if any(
            line.strip() and line in (added if kind == "+" else removed) for kind, line in hunk.lines if kind != " ")}
        rest = [hunk.number for hunk in misfits if hunk.number not in claimed]
        claimed |= mine or set(rest[:1])
    return claimed
