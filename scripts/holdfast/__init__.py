# SPDX-License-Identifier: GPL-2.0
"""Common to the tools that are written in Python; scripts/lib.sh is its like for the shell."""

import contextlib
import fcntl
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Callable, Iterator, NoReturn, Optional, Sequence, TextIO

TOP = Path(__file__).resolve().parent.parent.parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path(os.environ.get("HOME", "/root")) / ".cache") / "holdfast"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class Fatal(Exception):
    """What main() says and ends with. Without a text it was said already."""

    def __init__(self, text: str = "", code: int = 1):
        super().__init__(text)
        self.code = code


def lock() -> Optional[TextIO]:
    """One make per checkout. The lock belongs to the open file, so it ends with its
    holder however that ends; what the holder runs sees HOLDFAST_LOCKED and goes on."""
    if os.environ.get("HOLDFAST_LOCKED"):
        return None
    path = TOP / "build/.lock"
    path.parent.mkdir(exist_ok=True)
    file = open(path, "a+", encoding="ascii")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        pid = file.read().strip() or "unknown"
        raise Fatal(f"another make is running in this checkout (pid {pid}); "
                    "wait for it or stop it") from None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    os.set_inheritable(file.fileno(), True)
    os.environ["HOLDFAST_LOCKED"] = str(os.getpid())
    return file


# --- signals -------------------------------------------------------------------

def _end(number: int, _frame: object) -> NoReturn:
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)     # one is enough: what follows tidies up
    raise SystemExit(130 if number in (signal.SIGINT, signal.SIGQUIT) else 143)


def end_on_signals() -> None:
    """A signal ends the program as an exception does, unless it came in ignored."""
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


@contextlib.contextmanager
def unstoppable() -> Iterator[None]:
    """What must not stop half-way. Signals wait for its end, those to the programs that
    it runs as well: git removes its lock files even on a signal that is ignored, but is
    not told of one that is blocked. A shell that git starts unblocks them; run() puts
    all of them out of the terminal's reach."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# --- programs ------------------------------------------------------------------

def git_environment() -> dict[str, str]:
    """git as if the user had no configuration: what it makes depends on its input alone."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return env | {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_ATTR_NOSYSTEM": "1",
                  "GIT_OPTIONAL_LOCKS": "0", "GIT_PAGER": "cat", "GIT_EDITOR": "true", "LC_ALL": "C"}


# ~/.config/git/{attributes,ignore} are read even without a configuration.
GIT = ["git"] + [word for setting in (
    "user.name=holdfast", "user.email=holdfast@localhost", "gc.auto=0", "maintenance.auto=false",
    "core.autocrlf=false", "core.attributesFile=/dev/null", "core.excludesFile=/dev/null",
    "core.quotePath=false", "commit.gpgsign=false", "safe.directory=*", "advice.detachedHead=false",
) for word in ("-c", setting)]


def text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def raw(string: str) -> bytes:
    return string.encode("utf-8", "surrogateescape")


def run(command: Sequence[str], stdin: bytes = b"", **options) -> subprocess.CompletedProcess:
    """The program's status and its output, in bytes. It is never left behind, and gets
    the time to remove its lock files."""
    if signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ()):
        options["process_group"] = 0
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)
    try:
        out, error = child.communicate(stdin)
    except BaseException:
        child.terminate()
        child.wait()
        raise
    return subprocess.CompletedProcess(command, child.returncode, out, error)


# --- architectures -----------------------------------------------------------------

def architecture(name: str) -> tuple[str, str]:
    """What kbuild calls it, and the prefix of its compiler: none where it is this machine's."""
    words = dict(re.findall(r"^(\w+)=(.*)$", (TOP / "vm/arch" / name).read_text(), re.M))
    return words["kernel_arch"], "" if os.uname().machine == words["uname_m"] else words["cross_prefix"]


# --- the command line ------------------------------------------------------------

def some(names: Sequence[str]) -> str:
    """The first names, for a message; nothing for none."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more


def end_with(main: Callable[[], int], name: str) -> NoReturn:
    """The exit code of main(), or of what stopped it, told in one line."""
    try:
        code = main()
        sys.stdout.flush()
    except Fatal as error:
        if str(error):
            print(f"holdfast: {error}", file=sys.stderr)
        code = error.code
    except BrokenPipeError:
        # who read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = 141
    except OSError as error:
        print(f"holdfast: {error.filename or name}: {error.strerror}; mend that and run it again", file=sys.stderr)
        code = 1
    sys.exit(code)
