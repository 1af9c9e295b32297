"""Room: the standard manifest, version 1: CSV and JSON Lines with the same columns.

Every line is one file (or empty folder) to move. UTF-8, RFC 4180; times ISO 8601 UTC;
digests in lower-case hex. JSON Lines leaves out what is empty. Each path is exact and begins with a
share or a container, so that no file name can be a formula to a spreadsheet that opens the CSV;
people's words that could be one get an apostrophe in front there.
"""

from __future__ import annotations

import base64
import csv
import json
from pathlib import Path
from typing import Any

from migrate.engine.query import Query
from migrate.wording import time_text

VERSION = "1"

# Column: meaning. The order is the order in the CSV; a new version may only add at the end.
COLUMNS = {
    "manifest_version": "1",
    "record_id": "stays the same for this path through every scan",
    "source_share": "share, as named in estate.yaml",
    "source_path": "share/folder/name; undecodable bytes as \\xNN, see source_path_b64",
    "source_path_b64": "exact bytes below the share in base64, where source_path cannot give them",
    "kind": "file, or folder (an empty one)",
    "size_bytes": "size, bytes",
    "modified_utc": "last modified",
    "created_utc": "created, where the file system knows",
    "xxh3_128": "digest of the content",
    "sha256": "digest of the content, where the crawl took it (--fixity sha256)",
    "mime": "MIME type",
    "puid": "PRONOM identifier",
    "dest_container": "where in the new store, with '/'",
    "dest_path": "container and name in the new store",
    "rename_reason": "why the name, or a folder's, is not the original one",
    "retention_class": "from the file plan",
    "sensitivity": "the sensitive findings, if any",
    "duplicate_of": "path of the identical file that was chosen to keep",
    "owner": "account that owned it",
    "decision": "migrate",
    "decided_by": "reviewer",
    "decided_at": "when",
    "comment": "what the reviewer wrote",
    "also_at": "how many other copies and names of it there were: see also_at.csv",
}
ALSO_AT = [
    "record_id", "source_path", "also_at", "what", "owner", "modified_utc", "created_utc",
    "permissions", "outcome",
]  # fmt: skip


PEOPLES_WORDS = ("owner", "decided_by", "comment")


def harmless(words: str | None) -> str | None:
    """Words that a spreadsheet will not take for a formula."""
    return f"'{words}" if words and words[0] in "=+-@\t\r" else words


def line(record: dict[str, Any]) -> dict[str, Any]:
    """One manifest line from one row of the `manifest` table."""
    raw = record["path_raw"]
    values = {
        "manifest_version": VERSION,
        "record_id": f"{record['entry_id']:016x}",
        "source_share": record["share"],
        "source_path": f"{record['share']}/{record['source_path']}",
        "source_path_b64": base64.b64encode(raw).decode() if raw is not None else None,
        "modified_utc": time_text(record["mtime_ns"]) or None,
        "created_utc": time_text(record["birthtime_ns"]) or None,
        "xxh3_128": record["xxh3_128"].hex() if record["xxh3_128"] else None,
        "sha256": record["sha256"].hex() if record["sha256"] else None,
        "dest_container": record["target_path"].rpartition("/")[0],
        "dest_path": record["target_path"],
        "decision": "migrate",
    }
    return {name: values.get(name, record.get(name)) for name in COLUMNS}


def write(query: Query, folder: Path) -> list[Path]:
    """Write manifest.csv and manifest.jsonl, and renamed.csv with what had to change; also_at.csv
    with where else the content of a line was, who owned it there and when it was changed."""
    table = query.table("manifest")
    paths = [folder / name for name in ("manifest.csv", "manifest.jsonl", "renamed.csv")]
    parts = [path.with_suffix(path.suffix + ".part") for path in paths]
    with (
        parts[0].open("w", encoding="utf-8", newline="", errors="backslashreplace") as csv_file,
        parts[1].open("w", encoding="utf-8", newline="\n", errors="backslashreplace") as json_file,
        parts[2].open("w", encoding="utf-8", newline="", errors="backslashreplace") as renamed_file,
    ):
        lines = csv.DictWriter(csv_file, COLUMNS)
        renamed = csv.writer(renamed_file)
        lines.writeheader()
        renamed.writerow(["source", "dest_path", "why"])
        for record in query.rows(table.order_by("target_path")):
            values = line(record)
            lines.writerow({**values, **{name: harmless(values[name]) for name in PEOPLES_WORDS}})
            known = {name: value for name, value in values.items() if value is not None}
            json_file.write(json.dumps(known, ensure_ascii=False, separators=(",", ":")) + "\n")
            if record["rename_reason"]:
                renamed.writerow(
                    [values["source_path"], record["target_path"], record["rename_reason"]]
                )
    for part, path in zip(parts, paths, strict=True):
        part.replace(path)
    return [*paths, _write_also_at(query, folder)]


def _write_also_at(query: Query, folder: Path) -> Path:
    """One row for each copy or further name of a manifested file, in the order of the manifest."""
    path = folder / "also_at.csv"
    part = path.with_suffix(".csv.part")
    table = query.table("also_at").order_by("source_path", "path", "entry_id")
    with part.open("w", encoding="utf-8", newline="", errors="backslashreplace") as file:
        rows = csv.writer(file)
        rows.writerow(ALSO_AT)
        for record in query.rows(table):
            differ = record["permissions_differ"]
            rows.writerow([
                f"{record['line_id']:016x}", record["source_path"], record["path"], record["role"],
                harmless(record["owner"]), time_text(record["mtime_ns"]),
                time_text(record["birthtime_ns"]),
                "" if differ is None else "differ" if differ else "same", record["outcome"],
            ])  # fmt: skip
    part.replace(path)
    return path
