"""Room: how the bytes lie in the shares: the figures behind the map.

In: every file with its fate, age and the risk of its format. Out: rows for the folders directly
below each share, and for those below the largest of them. Never: the name of a file.
"""

from __future__ import annotations

import ibis

from migrate.report.sections import AGES, PROPOSALS, RISKS, SUMS, Ask, Figure, Relation, sums, total

MOST_OF_SHARE, MOST_OPENED, MOST_BELOW = 24, 24, 12
PARTS = [*PROPOSALS, *AGES, *RISKS]


def area(ask: Ask) -> list[Figure]:
    """What lies in each share (`above`), by folder, and in the largest of those folders, by the
    folder below; with the bytes of each proposal, age and risk. What is in none of the folders
    shown, or in no folder, is in one row with `folder` null."""
    folders = _shared_out(ask, ask.files, 1, MOST_OF_SHARE)
    largest = [row["folder"] for row in by_size(folders) if row["folder"]][:MOST_OPENED]
    if not largest:
        return folders
    inside = ask.files.filter(_names(ask.files, 2).isin(largest))
    return folders + _shared_out(ask, inside, 2, MOST_BELOW)


def by_size(rows: list[Figure]) -> list[Figure]:
    return sorted(rows, key=lambda row: (-row["size_bytes"], row["folder"] or ""))


def _names(files: Relation, count: int) -> Relation:
    """The first names of a file's folder, '' if it has not so many."""
    return files.place.re_extract("^[^/]*" + "/[^/]*" * (count - 1), 0)


def _shared_out(ask: Ask, files: Relation, depth: int, most: int) -> list[Figure]:
    """By a folder so many names deep, and the folder below it."""
    kinds = {
        name: total(ibis.ifelse(files[column] == value, files.size_bytes, 0))
        for column, values in _COLOURS.items()
        for name, value in values.items()
    }
    summed = files.group_by(above=_names(files, depth), folder=_names(files, depth + 1))
    table = summed.aggregate(**sums(files), **kinds)
    order = [table.folder == "", ibis.desc(table.size_bytes), table.folder]
    nth = ibis.row_number().over(group_by="above", order_by=order)
    named = (nth < most) & (table.folder != "")
    ranked = table.mutate(folder=ibis.ifelse(named, table.folder, ibis.null("string")))
    shown = ranked.group_by("above", "folder").aggregate(
        **{name: total(ranked[name]) for name in (*SUMS, *PARTS)}
    )
    order = ["above", shown.folder.isnull(), ibis.desc("size_bytes"), "folder"]
    return ask.rows(shown.filter(shown.size_bytes > 0).order_by(order))


_COLOURS = {"proposal": {name: name for name in PROPOSALS}, "era": AGES, "risk": RISKS}
