# SPDX-License-Identifier: GPL-2.0
"""Changes of a tree that no version control looks after: all of them or none.

All results, and all that they replace, lie ready in a journal before the first rename. Once
its list is there, a run that finds it goes back. A line of the list is a status, A, M or D,
and a path, or `d` and a directory that was made.
"""

import os
import shutil
import sys
from pathlib import Path
from typing import Iterator, Optional

from . import Fatal, unstoppable
from .repo import File


class Journal:
    def __init__(self, tree: Path):
        self.tree = tree
        self.path = tree / ".holdfast-apply"
        self.list = self.path / "list"

    def recover(self) -> None:
        """Back to what the tree was before a run that did not end."""
        if self.list.exists():
            self._go_back()
            print(f"{self.tree}: rolled back a run that was cut short", file=sys.stderr)
        self.remove()

    def remove(self) -> None:
        """But not the way back from what was begun."""
        if not self.list.exists():
            shutil.rmtree(self.path, ignore_errors=True)

    def install(self, before: dict[str, File], after: dict[str, Optional[File]]) -> None:
        """before: the files that there are of those that change."""
        self.path.mkdir()
        lines = []
        for path, file in after.items():
            lines += self._prepare(path, before.get(path), file)
        (self.path / "list.new").write_text("".join(line + "\n" for line in lines), errors="surrogateescape")
        with unstoppable():
            os.replace(self.path / "list.new", self.list)
            for line in lines:
                try:
                    self._go(*line.split(" ", 1))
                except OSError as error:
                    self._go_back()
                    self.remove()
                    raise Fatal(f"{self.tree / line[2:]} could not be written: {error.strerror}; "
                                "nothing was changed") from None
            self._done()
            self.remove()

    def _prepare(self, path: str, before: Optional[File], after: Optional[File]) -> Iterator[str]:
        """Lines of the list."""
        target, old, new = self.tree / path, self.path / "old" / path, self.path / "new" / path
        if before:
            old.parent.mkdir(parents=True, exist_ok=True)
            # the file itself: what comes back is all that it was
            os.link(target, old, follow_symlinks=False)
            if File.on_disk(old).data != before.data:
                raise Fatal(f"{target} has changed meanwhile; try again")
            like = target.stat()
        else:
            like = self.tree.stat()
            for parent in Path(path).parents:
                if not (self.tree / parent).is_dir():
                    yield f"d {parent}"
        if not after:
            yield f"D {path}"
            return
        new.parent.mkdir(parents=True, exist_ok=True)
        new.write_bytes(after.data)
        os.chown(new, like.st_uid, like.st_gid)
        mode = (like if before else new.stat()).st_mode & 0o7777
        os.chmod(new, mode | 0o111 if after.mode == "100755" else mode & ~0o111)
        yield f"{'M' if before else 'A'} {path}"

    def _go(self, status: str, path: str) -> None:
        target = self.tree / path
        if status == "D":
            target.unlink()
        elif status != "d":
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(self.path / "new" / path, target)

    def _go_back(self) -> None:
        lines = [line.split(" ", 1) for line in self.list.read_text(errors="surrogateescape").splitlines()]
        for status, path in lines:
            target, old = self.tree / path, self.path / "old" / path
            if status == "A":
                target.unlink(missing_ok=True)
            elif status != "d" and os.path.lexists(old):
                os.replace(old, target)
        for path in sorted((path for status, path in lines if status == "d"), reverse=True):
            if (self.tree / path).is_dir() and not os.listdir(self.tree / path):
                (self.tree / path).rmdir()
        self._done()

    def _done(self) -> None:
        os.replace(self.list, self.path / "done")
