# SPDX-License-Identifier: GPL-2.0
"""How much of a system is in files that the kernel has already.

A patch belongs to the system whose races its message names after `Race:`.
One that names none prepares for the next that does, or comes after the last. A new file
belongs to the system of the patch that brings it, and a line of an old file to that of the
patch that has added it, or has removed it. What one patch adds and another removes is no
change.

A system of OF_THE_BASE has no files of its own to put its logic into: what it changes is the
kernel's. Patches for stable belong to no system: they are fixes of what is there, and apply without any.
Tests, documents and MAINTAINERS are no part of a product.
"""

import re
from collections import Counter
from dataclasses import dataclass

from . import Fatal, hunks, text
from .messages import for_stable
from .points import NO_KERNEL
from .repo import Commit, Repo

LIMIT = 40                          # hooks in percent of what a system changes
NEW = re.compile(r".*(?<!_test)\.[chS]")
STABLE = ""                         # in the place of a system
# What the base has already, and no system of ours: these patches mend it where it is, and add what
# mainline has there.  Their share is printed, and has no limit.
OF_THE_BASE = {"write_tracking"}


@dataclass
class Share:
    hooks: int = 0                  # lines added to old files, and removed from them
    files: int = 0                  # lines of new files that are not blank

    @property
    def percent(self) -> float:
        return 100 * self.hooks / max(1, self.hooks + self.files)


def races_of(message: str) -> list[str]:
    """After `Race:`; the list goes on behind a line that ends with a comma."""
    found = re.findall(r"^Race:((?:.*,\n)*.*)$", message, re.M)
    return [name for names in found for name in re.split(r"[,\s]+", names) if name]


def systems_of(commits: list[Commit], system_of_race: dict[str, str]) -> list[str]:
    """Of each commit."""
    named: list[str | None] = []
    for commit in commits:
        races = races_of(commit.message)
        unknown = [race for race in races if race not in system_of_race]
        if unknown:
            raise Fatal(f"'{commit.message.splitlines()[0]}' names the race {unknown[0]}, which no list has")
        if for_stable(commit.message):
            named.append(STABLE)
        else:
            named.append(system_of_race[races[0]] if races else None)
    systems, last = [], STABLE
    for at, name in enumerate(named):
        if name is None:
            last = next(filter(None, named[at:]), last)
        systems.append(last if name is None else name)
        last = systems[-1] or last
    return systems


def shares(repo: Repo, base: str, tip: str, system_of_race: dict[str, str]) -> dict[str, Share]:
    commits = repo.commits(base, tip)
    systems = systems_of(commits, system_of_race)
    paths = sorted({path for commit in commits for path in commit.changes})
    before, after = repo.files(base, paths), repo.files(tip, paths)
    found = {system: Share() for system in systems}
    # Who has added each line of an old file: nobody of this series at first.
    added_by: dict[str, list[str | None]] = {path: [None] * len(hunks.split_lines(text(file.data)))
                                             for path, file in before.items() if not NO_KERNEL.match(path)}
    brought: dict[str, str] = {}
    for commit, system in zip(commits, systems):
        for path in commit.changes:
            if path not in before and NEW.fullmatch(path) and not NO_KERNEL.match(path):
                brought.setdefault(path, system)
        old = [path for path in commit.changes if path in added_by]
        for diff in hunks.parse(difference(repo, commit, old)) if old else []:
            found[system].hooks += apply(diff.hunks, added_by[diff.path], system)
    for lines in added_by.values():
        for system, count in Counter(lines).items():
            if system is not None:
                found[system].hooks += count
    for path, system in brought.items():
        if path in after:
            found[system].files += sum(1 for line in text(after[path].data).split("\n") if line.strip())
    return found


def difference(repo: Repo, commit: Commit, paths: list[str]) -> str:
    return repo.git("diff-tree", "-p", "--no-renames", "--no-ext-diff", "--no-color", "--diff-algorithm=myers",
                    f"{commit.id}^", commit.id, "--", *paths)


def apply(changes: list[hunks.Hunk], lines: list[str | None], system: str) -> int:
    """How many of the removed lines were there before the series."""
    count = 0
    for hunk in reversed(changes):
        at = start = hunk.old - 1 if hunk.side("+") else hunk.old
        new: list[str | None] = []
        for kind, _ in hunk.lines:
            if kind == "+":
                new.append(system)
                continue
            if kind == " ":
                new.append(lines[at])
            else:
                count += lines[at] is None
            at += 1
        lines[start:at] = new
    return count
