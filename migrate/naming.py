"""Room: where each file goes in the new store, under a name the store can hold.

In: entries to move. Out: a target path for each, no two alike to a target that ignores case and
Unicode form; whatever had to be renamed says so, with the original name and the reason.
Memory stays flat: only colliding names are held.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from migrate.config import Config
from migrate.engine.query import Query
from migrate.paths import NAME_RULES, NameRules, collision_key, shorten, target_name, utf16_length

SHORTEST_NAME = 40  # UTF-16 units a long path may cut a name down to, before folders give way

NAMED_AT_ONCE = 8_192  # files whose names are in memory as Python has them

_SCHEMA = pa.schema(
    [
        ("entry_id", pa.int64()),  # null: a folder that files go into
        ("full_path", pa.string()),
        ("target_path", pa.string()),
        ("key", pa.string()),
        ("folder_key", pa.string()),
        ("rename_reason", pa.string()),
    ]
)


class Namer:
    """Source paths to target paths, one at a time."""

    def __init__(self, config: Config) -> None:
        self.rules: NameRules = NAME_RULES[config.target.name_rules]
        lines = sorted(config.file_plan, key=lambda line: -len(line.folder))
        self.plan = [(collision_key(line.folder).split("/"), line.container) for line in lines]
        self.folder = lru_cache(maxsize=4_096)(self._folder)

    def target(self, full_path: str) -> tuple[str, list[str]]:
        """Where a file goes, and what had to be changed for it."""
        folder, _, name = full_path.rpartition("/")
        if not folder:  # an empty share
            return target_name(name, self.rules)
        target_folder, changes = self.folder(folder)
        new_name, name_changes = target_name(name, self.rules)
        changes = [*changes, *name_changes]
        room = self.rules.max_path - utf16_length(target_folder) - 1
        if room < min(utf16_length(new_name), SHORTEST_NAME):
            target_folder = _collapsed(target_folder)
            room = self.rules.max_path - utf16_length(target_folder) - 1
            changes.append("folder path too long for the target")
        if utf16_length(new_name) > room:
            # A name cut short may be a reserved one: look again, with room for an underscore.
            new_name, _ = target_name(shorten(new_name, room - 1), self.rules)
            changes.append("path too long for the target")
        return f"{target_folder}/{new_name}", changes

    def _folder(self, folder: str) -> tuple[str, list[str]]:
        names = folder.split("/")
        lowered = [collision_key(name) for name in names]
        placed = names
        for start, container in self.plan:
            if lowered[: len(start)] == start:
                placed = container.split("/") + names[len(start) :]
                break
        fitted = [target_name(name, self.rules) for name in placed]
        changed = any(changes for _, changes in fitted)
        return "/".join(name for name, _ in fitted), ["folder renamed"] if changed else []


def _collapsed(folder: str) -> str:
    """A folder path too long for the target: its first two names, then a number for the rest."""
    kept = [shorten(name, 60) for name in folder.split("/")[:2]]
    return "/".join([*kept, "~" + xxhash.xxh3_64_hexdigest(folder.encode())[:12]])


def target_paths(query: Query, to_move: Any, config: Config) -> Any:
    """entry_id, target_path, renamed_from and rename_reason for every row of `to_move` (which has
    entry_id, full_path and name)."""
    path = query.scratch("targets.parquet")
    in_order = to_move.select("entry_id", "full_path").order_by("full_path", "entry_id")
    rows = query.batches(in_order, NAMED_AT_ONCE)
    namer = Namer(config)
    _write(path, _name_all(rows, namer))
    named = query.parquet([path], "targets")
    renamed = query.given(_resolve(query, named, namer.rules.max_path))
    named = named.filter(named.entry_id.notnull()).left_join(renamed, "entry_id")
    reason = named.rename_reason + ibis.ifelse(named.target_path_right.notnull(), _CLASH, "")
    reason = reason.re_replace("^; ", "")
    changed = reason != ""
    name = named.full_path.re_extract("[^/]*$", 0)
    return named.select(
        "entry_id",
        target_path=ibis.coalesce(named.target_path_right, named.target_path),
        renamed_from=ibis.ifelse(changed, name, ibis.null("string")),
        rename_reason=ibis.ifelse(changed, reason, ibis.null("string")),
    )


_CLASH = "; another file has this name"


def _name_all(batches: Iterator[pa.RecordBatch], namer: Namer) -> Iterator[list[tuple[Any, ...]]]:
    folder_before = ""
    for batch in batches:
        rows: list[tuple[Any, ...]] = []
        for entry_id, full_path in zip(
            *(column.to_pylist() for column in batch.columns), strict=True
        ):
            target, changes = namer.target(full_path)
            folder, key = target.rpartition("/")[0], collision_key(target)
            folder_key = key.rpartition("/")[0]
            reason = "; ".join(dict.fromkeys(changes))
            rows.append((entry_id, full_path, target, key, folder_key, reason))
            if folder != folder_before:
                rows += _folder_rows(folder)
                folder_before = folder
        yield rows


def _folder_rows(folder: str) -> Iterator[tuple[Any, ...]]:
    """A folder and those above it, as names that no file may have."""
    while folder:
        key = collision_key(folder)
        yield (None, None, folder, key, key.rpartition("/")[0], None)
        folder = folder.rpartition("/")[0]


def _write(path: Path, batches: Iterator[list[tuple[Any, ...]]]) -> None:
    with pq.ParquetWriter(path, _SCHEMA, compression="zstd") as writer:
        for rows in batches:
            columns = [
                pa.array(column, kind)
                for column, kind in zip(zip(*rows, strict=True), _SCHEMA.types, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=_SCHEMA))


def _resolve(query: Query, named: Any, max_path: int) -> pa.Table:
    """New target paths for all but the first of those that share a key, or have a folder's; one
    that had to be renamed anyway gives way."""
    hashed = named.select(hashed=named.key.hash())
    alike = hashed.group_by("hashed").aggregate(times=hashed.count())
    alike = query.stored(alike.filter(alike.times > 1).select("hashed"))
    shared = named.semi_join(alike, named.key.hash() == alike.hashed)
    order = [shared.entry_id.notnull(), shared.rename_reason != "", shared.full_path]
    same_key = ibis.window(group_by="key", order_by=order)
    files = shared.mutate(nth=ibis.row_number().over(same_key))
    clashing = files.filter((files.nth > 0) & files.entry_id.notnull())
    clashing = query.stored(clashing)
    crowded = named.semi_join(clashing, "folder_key")
    taken = {row["key"] for row in query.rows(crowded.select("key").distinct())}
    result = []
    for row in query.rows(clashing.order_by("full_path", "entry_id")):
        folder, _, name = row["target_path"].rpartition("/")
        room = min(255, max_path - utf16_length(folder) - 1)
        numbered = (f"{folder}/{shorten(name, room, f' ({number})')}" for number in count(2))
        target = next(path for path in numbered if collision_key(path) not in taken)
        taken.add(collision_key(target))
        result.append({"entry_id": row["entry_id"], "target_path": target})
    schema = pa.schema([("entry_id", pa.int64()), ("target_path", pa.string())])
    return pa.Table.from_pylist(result, schema)
