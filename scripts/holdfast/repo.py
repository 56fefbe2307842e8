# SPDX-License-Identifier: GPL-2.0
"""Git repositories: what is read out of them, and commits that are written into them
without an index or a work tree."""

import hashlib
import itertools
import os
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Iterable, NamedTuple, Optional

from . import GIT, Fatal, git_environment, raw, run, text, unstoppable

REMOVED, SUBMODULE = "000000", "160000"     # modes that have no blob


@dataclass(frozen=True)
class File:
    mode: str
    data: bytes

    @cached_property
    def oid(self) -> str:
        return hashlib.sha1(b"blob %d\0" % len(self.data) + self.data).hexdigest()

    @classmethod
    def on_disk(cls, path: Path) -> "File":
        return cls("100755" if os.access(path, os.X_OK) else "100644", path.read_bytes())


@dataclass
class Commit:
    author: str                 # Name <address> date, the date as in a mail
    committer: str
    message: str                # without its last newline
    changes: dict[str, Optional[File]] = field(default_factory=dict)    # None: removed
    id: str = ""


class Status(NamedTuple):
    branch: str                 # '(detached)' for none
    head: str                   # '(initial)' without a commit
    edited: list[str]


class Repo:
    """Work tree and git directory are always named: in a tree that has lost its .git, git
    would look further up and find another repository."""

    def __init__(self, tree: Path, gitdir: Optional[Path] = None):
        self.tree = tree
        self.gitdir = gitdir or tree / ".git"

    def try_git(self, *args: str, stdin: bytes = b"", **options):
        command = [*GIT, "-C", str(self.tree), f"--git-dir={self.gitdir}", f"--work-tree={self.tree}", *args]
        return run(command, stdin, **{"env": git_environment()} | options)

    def git(self, *args: str, stdin: bytes = b"", **options) -> str:
        """Its output, without the last newline. git says itself why it fails."""
        done = self.try_git(*args, stdin=stdin, **options)
        if done.returncode:
            raise Fatal(f"git {args[0]} failed in {self.tree}; see above")
        return text(done.stdout).removesuffix("\n")

    # --- what is there ---

    def in_progress(self) -> None:
        for name in ("rebase-merge", "rebase-apply", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "BISECT_LOG"):
            if (self.gitdir / name).exists():
                raise Fatal(f"{self.tree} is in the middle of a rebase, am, merge or bisect ({name}); "
                            "finish or abort that")

    def parse(self, revision: str) -> str:
        """Its commit id, or nothing."""
        return text(self.try_git("rev-parse", "-q", "--verify", revision + "^{commit}").stdout).strip()

    def status(self) -> Status:
        out = self.git("status", "--porcelain=v2", "--branch", "-z", "-uno", "--no-renames")
        fields = dict(re.findall(r"# branch\.(oid|head) ([^\0]*)", out))
        # eight words before the path, ten of one that is not merged
        edited = [entry.split(" ", 8 if entry[0] == "1" else 10)[-1]
                  for entry in out.split("\0") if entry[:2] in ("1 ", "u ")]
        return Status(fields["head"], fields["oid"], edited)

    def files(self, revision: str, paths: Iterable[str]) -> dict[str, File]:
        """The files of a commit that are among these."""
        paths = list(paths)
        if not paths:
            return {}
        entries = []
        for entry in self.git("ls-tree", "-z", revision, "--", *paths).split("\0")[:-1]:
            what, path = entry.split("\t", 1)
            mode, kind, oid = what.split()
            if kind == "blob":
                entries.append((path, mode, oid))
        blobs = self.blobs(oid for _, _, oid in entries)
        return {path: File(mode, blobs[oid]) for path, mode, oid in entries}

    def blobs(self, oids: Iterable[str]) -> dict[str, bytes]:
        wanted = list(dict.fromkeys(oids))
        if not wanted:
            return {}
        out = self.try_git("cat-file", "--batch", stdin=raw("".join(oid + "\n" for oid in wanted))).stdout
        found, at = {}, 0
        for oid in wanted:
            end = out.index(b"\n", at)
            first = out[at:end].split()
            if first[1:2] != [b"blob"]:
                raise Fatal(f"{self.tree} has lost {oid}; run: git -C {self.tree} fsck")
            at = end + 1 + int(first[2])
            found[oid] = out[end + 1:at]
            at += 1
        return found

    def commits(self, base: str, tip: str) -> list[Commit]:
        """From the first after base to tip, with what each changes."""
        out = self.git("log", "-z", "--reverse", "--first-parent", "--date=rfc2822",
                       "--format=%H%n%an <%ae> %ad%n%cn <%ce> %cd%n%B", f"{base}..{tip}")
        commits = []
        for entry in out.split("\0"):
            if entry:
                oid, author, committer, message = entry.split("\n", 3)
                commits.append(Commit(author, committer, message.removesuffix("\n"), id=oid))
        for commit, changes in zip(commits, self.changes([commit.id for commit in commits])):
            commit.changes = changes
        return commits

    def changes(self, commits: list[str]) -> list[dict[str, Optional[File]]]:
        """What each changes in its parent, or in the commit that is named after it."""
        out = self.git("diff-tree", "--stdin", "--always", "-r", "-z", "--no-renames",
                       stdin=raw("".join(commit + "\n" for commit in commits)))
        words = iter(out.split("\0"))
        entries: list[tuple[str, str, str]] = []
        counts = []
        for word in words:
            if word.startswith(":"):
                _, mode, _, oid, _ = word.split()
                entries.append((next(words), mode, oid))
                counts[-1] += 1
            elif word:
                counts.append(0)
        blobs = self.blobs(oid for _, mode, oid in entries if mode not in (REMOVED, SUBMODULE))
        files = iter([(path, None if mode == REMOVED else File(mode, blobs.get(oid, b"")))
                      for path, mode, oid in entries])
        return [dict(itertools.islice(files, count)) for count in counts]

    # --- what is written ---

    def write(self, base: str, commits: list[Commit]) -> list[str]:
        """The commits on top of base, or of nothing; their ids. No branch knows of them."""
        if not commits:
            return []
        out = bytearray()
        stored = set()
        for number, commit in enumerate(commits, 1):
            for file in commit.changes.values():
                if file and file.oid not in stored:
                    stored.add(file.oid)
                    out += b"blob\ndata %d\n%b\n" % (len(file.data), file.data)
            message = raw(commit.message + "\n")
            out += raw(f"commit refs/holdfast/build\nmark :{number}\nauthor {commit.author}\n"
                       f"committer {commit.committer}\n")
            out += b"data %d\n%b\n" % (len(message), message)
            if number == 1 and base:
                out += raw(f"from {base}\n")
            for path, change in commit.changes.items():
                out += raw(f"M {change.mode} {change.oid} {path}\n" if change else f"D {path}\n")
            out += b"\n"
        out += b"".join(b"get-mark :%d\n" % number for number in range(1, len(commits) + 1))
        out += b"reset refs/holdfast/build\nfrom %b\n\n" % (b"0" * 40)
        return self.git("fast-import", "--quiet", "--force", "--date-format=rfc2822", stdin=bytes(out)).split()

    def move(self, tip: str) -> bool:
        """Branch, index and work tree to a commit. What is edited stays, or nothing moves."""
        # what was only touched would count as edited
        self.try_git("update-index", "-q", "--refresh")
        with unstoppable():
            return self.try_git("reset", "-q", "--keep", tip).returncode == 0
