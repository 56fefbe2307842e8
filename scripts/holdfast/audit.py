# SPDX-License-Identifier: GPL-2.0
"""What can be wrong in a tree that took the series without a conflict.

patches/<base>/audit has a rule a line, its fields apart by tabs: a regular expression for the
subject of the patch that the rule is of, a file, how often a second expression is found in it
(comments do not count), that expression, and, if there is one, an expression without which the
file is not looked at. The comment right above says why.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from . import Fatal
from .functions import place_of
from .hunks import split_lines


@dataclass
class Rule:
    patch: re.Pattern[str]
    file: str
    count: int
    pattern: re.Pattern[str]
    condition: Optional[re.Pattern[str]]
    why: str
    where: str                  # of itself

    def finding(self, data: Optional[str]) -> str:
        """What the file has otherwise, or nothing."""
        if data is None:
            return f"{self.file} is not there"
        data = without_comments(data)
        if self.condition and not self.condition.search(data):
            return ""
        lines = [data.count("\n", 0, match.start()) for match in self.pattern.finditer(data)]
        if len(lines) == self.count:
            return ""
        text = split_lines(data)
        places = [f"line {line + 1}" + in_function(place_of(self.file, text, line).name()) for line in lines]
        return (f"{self.file}: '{self.pattern.pattern}' found {len(lines)} time{'s' * (len(lines) != 1)}, wanted {self.count}"
                + (f": {', '.join(places)}" if places else ""))


def in_function(name: str) -> str:
    return f" in {name}()" if name else ""


def without_comments(data: str) -> str:
    """With the lines that it had."""
    return re.sub(r"/\*.*?\*/|//[^\n]*", lambda match: "\n" * match[0].count("\n"), data, flags=re.S)


def on_disk(tree: Path, path: str) -> Optional[str]:
    file = tree / path
    return file.read_text(errors="surrogateescape") if file.is_file() else None


def read_rules(where: Path) -> list[Rule]:
    """None where there is no file."""
    rules = []
    why: list[str] = []
    for number, line in enumerate(where.read_text().splitlines() if where.is_file() else [], 1):
        if line.startswith("#") or not line.strip():
            why = [*why, line.lstrip("# ")] if line.startswith("# ") else []
            continue
        words = re.split(r"\t+", line.strip("\t"))
        try:
            patch, file, count, pattern, *rest = words
            condition = re.compile(*rest) if rest else None
            rules.append(Rule(re.compile(patch), file, int(count), re.compile(pattern, re.M), condition,
                              " ".join(why), f"{where}, line {number}"))
        except (ValueError, TypeError, re.error):
            raise Fatal(f"{where}, line {number} is no rule; make it 'patch, file, count, regex[, only with regex]', "
                        "apart by tabs") from None
    return rules


def of_one_patch(rules: list[Rule], subjects: list[str]) -> list[str]:
    """What is wrong with the rules themselves."""
    found = []
    for rule in rules:
        count = sum(bool(rule.patch.match(subject)) for subject in subjects)
        if count != 1:
            found.append(f"{rule.where}: '{rule.patch.pattern}' is the subject of {count or 'no'} patch{'es' * (count > 1)}")
    return found
