"""Room: names and paths as expressions: how they are spelled, compared and taken apart.

In: columns. Out: expressions of the query engine. Text is compared in lower case, with accents
composed, by the engine's own functions, so that rules and facts are folded alike.
"""

from __future__ import annotations

from typing import Any

import ibis

from migrate.patterns import ENDING, fold


@ibis.udf.scalar.builtin  # type: ignore[untyped-decorator]
def hex(value: bytes) -> str:  # type: ignore[empty-body]
    """The engine's own function (DuckDB and Spark have it): bytes as upper-case digits."""


@ibis.udf.scalar.builtin  # type: ignore[untyped-decorator]
def nfc_normalize(value: str) -> str:  # type: ignore[empty-body]
    """The engine's own function: one spelling for each accented letter."""


def folded(text: Any) -> Any:
    """Text as it is compared: lower case, accents composed (one name has two spellings on disks
    that Macs have written to)."""
    return nfc_normalize(text).lower()


def full_path(table: Any) -> Any:
    """share/folder/name, as people write paths in rules and file plans."""
    return ibis.ifelse(table.path == "", table.share, table.share + "/" + table.path)


def folder_of(full: Any) -> Any:
    """The part of a full path before its last name."""
    return full.re_replace("/[^/]*$", "")


def extension_of(name: Any) -> Any:
    return name.lower().re_extract(ENDING, 1)


def is_under(full: Any, folder: str) -> Any:
    """Whether a lower-cased full path is a folder or lies below it."""
    folder = fold(folder)
    return (full == folder) | full.startswith(folder + "/")


def size_words(size: Any) -> Any:
    """1536 -> '1.5 KB', as wording.size_text says it, but as an expression."""
    branches = [(size < 1024, size.cast("string") + " B")]
    for power, unit in enumerate(("KB", "MB", "GB", "TB", "PB"), 1):
        value = size / (1 << (10 * power))
        words = ibis.ifelse(
            value < 100, value.round(1).cast("string"), value.round(0).cast("int64").cast("string")
        )
        branches.append((value < 1000 if unit != "PB" else value >= 0, words + f" {unit}"))
    return ibis.cases(*branches)
