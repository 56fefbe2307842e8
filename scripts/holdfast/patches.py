# SPDX-License-Identifier: GPL-2.0
"""The series as the repository has it: the manifest, the mails, the new files, and the
commits that come of them."""

import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from . import GIT, Fatal, git_environment, hunks, raw, run, text
from .functions import elsewhere
from .hunks import Accept, FileDiff, Hunk
from .repo import Commit, File

ME = "holdfast <holdfast@localhost>"
EPOCH = "Thu, 1 Jan 1970 00:00:00 +0000"


# --- the manifest --------------------------------------------------------------------

@dataclass
class Manifest:
    patches: list[str] = field(default_factory=list)
    carrier: dict[str, int] = field(default_factory=dict)   # path in the tree: the patch that brings it
    place: dict[str, str] = field(default_factory=dict)     # the same path: where the repository has it
    # Directories of the repository that have another name in the tree, both with their /
    directories: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, lines: list[str], where: str) -> "Manifest":
        self = cls()
        for line in lines:
            words = line.split()
            if len(words) == 1 and "=" in words[0] and not self.patches:
                self._rename(words[0], where)
                continue
            if not words or "/" in words[0] or words[0].startswith("#"):
                raise Fatal(f"{where}: '{' '.join(words)}' does not begin with a patch; "
                            "make it 'NNNN-x.patch [new files...]'")
            self.patches.append(words[0])
            for word in words[1:]:
                self._carry(word, where)
        return self

    def _rename(self, word: str, where: str) -> None:
        place, _, tree = word.partition("=")
        if not all(path.endswith("/") and good_path(path[:-1]) for path in (place, tree)):
            raise Fatal(f"{where}: '{word}' does not rename a directory; make it 'here/=there/', above the patches")
        if place in self.directories or tree in self.directories.values():
            raise Fatal(f"{where}: '{word}' names a directory that another line has; take one out")
        self.directories[place] = tree

    def lines_of_directories(self) -> list[str]:
        return [f"{place}={tree}" for place, tree in self.directories.items()]

    def home(self, tree: str) -> str:
        """Where the repository has a file of the tree, unless its word says otherwise."""
        for place, there in self.directories.items():
            if tree.startswith(there):
                return place + tree.removeprefix(there)
        return tree

    def in_tree(self, place: str) -> str:
        """The way back: of a file that is carried, or would be."""
        for tree, its_place in self.place.items():
            if its_place == place:
                return tree
        for here, there in self.directories.items():
            if place.startswith(here):
                return there + place.removeprefix(here)
        return place

    def _carry(self, word: str, where: str) -> None:
        place, _, tree = word.partition("=")
        if not tree:
            place, tree = self.home(word), word
        if not good_path(place) or not good_path(tree):
            raise Fatal(f"{where}: bad path {word}; give it from the top of the tree")
        if tree in self.carrier:
            raise Fatal(f"{tree} is carried twice, by {self.patches[self.carrier[tree]]} and "
                        f"{self.patches[-1]}; take one out of {where}")
        self.carrier[tree] = len(self.patches) - 1
        self.place[tree] = place


def good_path(path: str) -> bool:
    return not any(part in ("", ".", "..") for part in path.split("/"))


def read_manifest(directory: Path) -> Manifest:
    """That of patches/<base>, whether or not its files are there."""
    where = directory / "series"
    if not where.is_file():
        raise Fatal(f"{where} does not exist; give a BASE that has patches")
    return Manifest.parse(where.read_text().splitlines(), str(where))


def load(directory: Path) -> Manifest:
    """The manifest of patches/<base>, all of whose files are there."""
    where = directory / "series"
    manifest = read_manifest(directory)
    for tree, place in manifest.place.items():
        own = directory / "files" / tree
        if own.exists():
            if Path(place).exists():
                raise Fatal(f"{tree} is both in {directory}/files and shared; remove one")
            manifest.place[tree] = str(own)
    for patch in manifest.patches:
        if not (directory / patch).is_file():
            raise Fatal(f"{directory / patch} does not exist; mend {where}")
    for tree, place in manifest.place.items():
        if not Path(place).is_file():
            raise Fatal(f"{place} does not exist, but {manifest.patches[manifest.carrier[tree]]} carries it; mend {where}")
    for path in sorted(directory.glob("*.patch")):
        if path.name not in manifest.patches:
            raise Fatal(f"{path} is not in {where}; add or remove it")
    return manifest


# --- mails ---------------------------------------------------------------------------

@dataclass
class Mail:
    name: str
    author: str                 # as in Commit
    message: str
    files: list[FileDiff]

    def date(self) -> str:
        return self.author.rpartition("> ")[2]


def read_mail(path: Path) -> Mail:
    """As git am takes it."""
    with tempfile.TemporaryDirectory(prefix="holdfast.") as scratch:
        body, diff = Path(scratch, "body"), Path(scratch, "diff")
        done = run([*GIT, "mailinfo", "-k", "--no-scissors", "--encoding=UTF-8", str(body), str(diff)],
                   path.read_bytes(), env=git_environment())
        if done.returncode:
            raise Fatal(f"{path} is not a mail; make it one with git format-patch")
        head = dict(re.findall(r"^(\w+): (.*)$", text(done.stdout), re.M))
        message = strip_space(head.get("Subject", "") + "\n\n" + text(body.read_bytes()))
        if not all(head.get(name) for name in ("Author", "Email", "Date", "Subject")):
            raise Fatal(f"{path} lacks From, Date or Subject; make it a mail with git format-patch")
        try:
            files = hunks.parse(text(diff.read_bytes()))
        except hunks.BadDiff as why:
            raise Fatal(f"{path} {why}") from None
    return Mail(path.name, f"{head['Author']} <{head['Email']}> {head['Date']}", message, files)


def strip_space(message: str) -> str:
    """The message loses what git stripspace takes, as with git am."""
    lines = "\n".join(line.rstrip(" \t\r\f\v") for line in message.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", lines).strip("\n")


# --- the commits -----------------------------------------------------------------------

@dataclass
class Builder:
    """Makes commits of mails and new files. A new file that grows is kept in its final form:
    what it was when it came is that without the hunks of the later patches."""
    manifest: Manifest
    mails: list[Mail]
    strict: bool
    says: list[str] = field(default_factory=list)

    def paths(self) -> list[str]:
        """What the series wants to know of its base."""
        return sorted({diff.path for mail in self.mails for diff in mail.files} | set(self.manifest.carrier))

    def build(self, base: dict[str, File], new: dict[str, File]) -> list[Commit]:
        """base: those of paths() that are there; new: the new files in their final form."""
        self._check_base(base)
        brought = self.without_growth(new)
        now = dict(base)
        commits = []
        for number, mail in enumerate(self.mails):
            changes = self._patch(mail, now)
            changes |= {path: brought[path] for path, carrier in self.manifest.carrier.items() if carrier == number}
            if not changes:
                raise Fatal(f"{mail.name} changes nothing; drop it")
            for path, file in changes.items():
                if file:
                    now[path] = file
                else:
                    del now[path]
            commits.append(Commit(mail.author, f"{ME} {mail.date()}", mail.message, changes))
        for path, file in new.items():
            if now.get(path) != file:
                raise Fatal(f"{path} does not end as the repository has it; edit it in the tree instead, and make refresh")
        return commits

    def points(self) -> int:
        """How many patches column base has: the first ones."""
        marks = ["Column: base" in mail.message.split("\n") for mail in self.mails]
        count = marks.index(False) if False in marks else len(marks)
        for mail, mark in zip(self.mails[count:], marks[count:]):
            if mark:
                raise Fatal(f"{mail.name} has 'Column: base', but follows a patch without; move it to the front")
        return count

    def _check_base(self, base: dict[str, File]) -> None:
        for path, carrier in self.manifest.carrier.items():
            if path in base:
                raise Fatal(f"{path} exists in the base; what {self.manifest.patches[carrier]} does to it "
                            "must be a hunk of that patch")
        for number, mail in enumerate(self.mails):
            for path in (diff.path for diff in mail.files):
                if path not in base and path not in self.manifest.carrier:
                    raise Fatal(f"{mail.name} changes {path}, which the tree does not have; mend the patch")
                if self.manifest.carrier.get(path, -1) >= number:
                    raise Fatal(f"{mail.name} has hunks on {path}, which comes with "
                                f"{self.manifest.patches[self.manifest.carrier[path]]}; "
                                "move them into the file or to a later patch")

    def without_growth(self, new: dict[str, File]) -> dict[str, File]:
        """The new files as they come."""
        files = dict(new)
        for mail in reversed(self.mails):
            for diff in reversed([diff for diff in mail.files if diff.path in files]):
                try:
                    data, _ = hunks.apply(text(files[diff.path].data), [hunk.reverse() for hunk in diff.hunks])
                except hunks.DoesNotFit:
                    raise Fatal(f"the growth of {diff.path} in {mail.name} no longer fits the final file; "
                                "edit it in the tree instead, and make refresh") from None
                files[diff.path] = File(files[diff.path].mode, raw(data))
        return files

    def _patch(self, mail: Mail, now: dict[str, File]) -> dict[str, Optional[File]]:
        """What the hunks of a mail change."""
        changes: dict[str, Optional[File]] = {}
        for diff in mail.files:
            file = changes.get(diff.path, now.get(diff.path))
            if not file:
                raise Fatal(f"{mail.name} changes {diff.path}, which a patch has removed; mend the patch")
            try:
                data, _ = hunks.apply(text(file.data), diff.hunks, self._accept(mail, diff, file))
            except hunks.DoesNotFit as problem:
                heading = f", {problem.hunk.heading}" if problem.hunk.heading else ""
                raise Fatal(f"{mail.name} does not apply: hunk {problem.hunk.number} of {diff.path} "
                            f"(line {problem.hunk.old}{heading}); mend the patch") from None
            if diff.deletes and data:
                raise Fatal(f"{mail.name} removes {diff.path}, which has more in it; mend the patch")
            changes[diff.path] = None if diff.deletes else File(diff.mode or file.mode, raw(data))
        return {path: file for path, file in changes.items() if file != now.get(path)}

    def _accept(self, mail: Mail, diff: FileDiff, file: File) -> Accept:
        """Right for a hunk that has moved with its function, fatal for one that found the same
        lines in another."""
        known = self.strict or bool(diff.blob) and file.oid.startswith(diff.blob)

        def accept(hunk: Hunk, lines: list[str], at: int, offset: int) -> bool:
            if known and not offset:
                return True
            other = elsewhere(diff.path, hunk, lines, at, None)
            if other and other.wrong:
                raise Fatal(f"{mail.name}: hunk {hunk.number} of {diff.path} fits at line {at + 1} "
                            f"({offset} lines off), but {other}; mend the patch")
            if not offset:
                return True
            if diff.path in self.manifest.carrier:
                self.says.append(f"{mail.name}: {diff.path}: hunk {hunk.number} of its growth is "
                                 f"{offset} lines off; make refresh brings it up to date")
                return True
            if self.strict:
                raise Fatal(f"{mail.name}: hunk {hunk.number} of {diff.path} is {offset} lines off; mend the patch")
            self.says.append(f"{mail.name}: {diff.path}: hunk {hunk.number} moved by {offset} to line {at + 1}")
            return True

        return accept
