"""Room: names as patterns: how what people write in settings and rules is compared with names.

In: text, globs. Out: folded text and regular expressions, as the query engine (RE2) takes them.
Text is folded by that engine's own functions, so that rules and facts are folded alike.
"""

from __future__ import annotations

import re
from functools import cache

import duckdb

# What programs leave in folders by themselves: with or without it, a folder is the same.
JUNK = ["thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", ".ds_store", ".localized"]

# SQL over columns of `entries`: share/folder/name, as people write paths in rules and file plans.
FULL_PATH = "CASE WHEN path = '' THEN share ELSE share || '/' || path END"
ENDING = r"(?s)^.+\.([^.]*)$"  # of a name: what its last dot is followed by


def is_junk(name: str) -> str:
    """Whether a file of this name (in SQL) is junk, in SQL."""
    return f"lower({name}) IN {tuple(JUNK)}"


def ending(name: str) -> str:
    """The ending of a name, in lower case, in SQL."""
    return f"regexp_extract(lower({name}), '{ENDING}', 1)"


def folded(sql: str) -> str:
    """Text in SQL as it is compared: see `fold`."""
    return f"lower(nfc_normalize({sql}))"


@cache
def fold(text: str) -> str:
    """Text as it is compared: lower case, accents composed. By the engine: Python's lower()
    differs in places (but not in plain ASCII, for which nobody need be asked)."""
    if text.isascii():
        return text.lower()
    answer = duckdb.execute(f"SELECT {folded('?')}", [text]).fetchone()
    return str(answer[0]) if answer else text


def glob_pattern(glob: str) -> str:
    """A glob over one name as a regular expression; * and ? never cross a '/'."""
    return "".join(
        "[^/]*" if char == "*" else "[^/]" if char == "?" else re.escape(char) for char in glob
    )


def folder_pattern(globs: list[str]) -> str:
    """Whole folder names, anywhere in a lower-cased path of folders."""
    names = "|".join(glob_pattern(fold(glob)) for glob in globs)
    return f"(^|/)({names})(/|$)"
