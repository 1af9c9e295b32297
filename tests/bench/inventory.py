"""Make an estate with an inventory and no files: python tests/bench/inventory.py FOLDER COUNT
and decide on what is in it, once it is deduped: python tests/bench/inventory.py FOLDER decide

Rows as a crawl, an identification and a dedupe would leave them: a folder for about fourteen files,
names and extensions of an office, a third of the files copies. The same every time.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb
import pyarrow as pa

from migrate.estate import Estate, Run, Writer, create, write_part, writing
from migrate.model import TABLES

ROWS_PER_PART = 500_000
AREAS = [
    "Finance",
    "Human Resources",
    "Prisons",
    "Courts",
    "Governance",
    "Private Office",
    "IT",
    "Estates",
]
KINDS = [
    "Correspondence",
    "Reports",
    "old stuff",
    "Minutes",
    "Casework",
    "Backup 2011",
    "Projects",
    "temp",
]
WORDS = ["Budget", "Report", "Letter to", "Minutes of", "Draft", "Plan for", "Contract", "Invoice", "Notes on", "Copy of", "IMG_2034", "Visit"]  # fmt: skip
ENDS = ["the board", "prison visits", "Smith", "2009", "2014-03-01", "v2", "final", "FINAL2", "(1)", "staff", "A1234BC", "catering"]  # fmt: skip
EXTENSIONS = ["doc", "doc", "doc", "docx", "docx", "pdf", "pdf", "xls", "xlsx", "msg", "msg", "jpg", "jpg", "txt", "htm", "zip", "tmp", "wpd", "log", "db", "ppt", "exe"]  # fmt: skip
PUIDS = ["fmt/40", "fmt/40", "fmt/412", "fmt/412", "fmt/18", "fmt/276", "fmt/61", "fmt/214", "x-fmt/430", "fmt/43", "x-fmt/111", "x-fmt/394"]  # fmt: skip
FILES_PER_FOLDER = 14

FOLDERS = """
select f as folder,
  $areas[1 + f % 8] || '/' || $kinds[1 + f // 8 % 8] || '/' || 'unit ' || (f // 64 % 97)
  || '/case ' || f as path from range($folders) r(f)
"""
# Which content a file has: three files in nine are the same one.
CONTENT = "case when i % 9 < 3 then i - i % 3 else i end"
FILES = f"""
select i, i // $per as folder, (hash({CONTENT}) % 4000000000)::bigint as h,
  $words[1 + (hash(i) % 12)::int] || ' ' || $ends[1 + (hash(i * 7) % 12)::int] || ' ' || i || '.'
  || $extensions[1 + (hash(i * 13) % 22)::int] as name
from range($from, $to) r(i)
"""
ENTRIES = f"""
with folders as ({FOLDERS}), files as ({FILES})
select 1::int as scan_id, (hash(i) // 2)::bigint as entry_id, (hash(-1 - folder) // 2)::bigint as parent_id, 'dept' as share,
  path || '/' || name as path, name, 'file' as kind, 5::smallint as depth,
  (h % 4000000)::bigint as size_bytes,
  (915148800 + h % 850000000)::bigint * 1000000000 as mtime_ns,
  (1700000000)::bigint * 1000000000 as ctime_ns, (1700000000)::bigint * 1000000000 as atime_ns,
  'user' || (h % 900) as owner, 1000000 + i as file_id, 1 as device_id, 1 as link_count
from files join folders using (folder)
"""
FOLDER_ENTRIES = f"""
select 1::int as scan_id, (hash(-1 - folder) // 2)::bigint as entry_id, 999999999 as parent_id, 'dept' as share, path,
  parse_filename(path) as name, 'folder' as kind, 4::smallint as depth, 1 as link_count,
  (1500000000)::bigint * 1000000000 as mtime_ns, 'root' as owner
from ({FOLDERS})
"""
DIGESTS = f"""
select 1::int as scan_id, (hash(i) // 2)::bigint as entry_id,
  unhex(md5(({CONTENT})::varchar)) as sample_xxh3, unhex(md5(({CONTENT})::varchar)) as xxh3_128,
  'application/msword' as mime,
  case when i % 5 < 2 then null else i % 997 = 0 end as encrypted
from range($from, $to) r(i)
"""
GROUPS = """
select 1::int as scan_id, (hash(i) // 2)::bigint as entry_id, (hash(i - i % 3) // 2)::bigint as group_id,
  case when i % 3 = 0 then 'keeper' else 'copy' end as role,
  (hash(i - i % 3) // 2)::bigint as keeper_id, 3 as member_count, 1000::bigint as size_bytes
from range($from, $to) r(i) where i % 9 < 3
"""

# What people would answer: identical copies go, one file in ten waits, everything else moves.
DECISIONS = """
select e.scan_id, e.entry_id, 'folder' as scope, 'Reviewer' as decided_by,
  '2026-10-02T09:00:00Z' as decided_at, '' as comment, 'review' as proposal,
  case when g.role = 'copy' then 'dispose' else 'migrate' end as decision,
  e.size_bytes, e.mtime_ns, d.sample_xxh3, d.xxh3_128 as digest, e.entry_id as decision_seq
from read_parquet($entries) e left join read_parquet($groups) g using (entry_id)
left join read_parquet($digests) d using (entry_id)
where e.kind = 'file' and e.entry_id % 10 > 0 and e.entry_id % $parts = $part
"""
# SHA-256 of the copies and their keepers, as `manifest` has it taken before copies go.
PROVED = """
select g.scan_id, g.entry_id, unhex(sha256(hex(d.xxh3_128))) as sha256
from read_parquet($groups) g join read_parquet($digests) d using (entry_id)
where g.entry_id % $parts = $part
"""


def fill(writer: Writer, run: Run, table: str, sql: str, starts: range, **values: object) -> None:
    """The rows of a query as parts of a table, a range of numbers for each."""
    for start in starts:
        end = min(start + ROWS_PER_PART, starts.stop)
        given = {**values, "from": start, "to": end}
        asked = {name: value for name, value in given.items() if f"${name}" in sql}
        commit(writer, run, table, sql, asked)


def commit(writer: Writer, run: Run, table: str, sql: str, values: dict[str, object]) -> None:
    """The rows of a query as a part of a table; what it does not give is NULL."""
    schema = TABLES[table].schema
    found = duckdb.connect().execute(sql, values).to_arrow_table()
    columns = [
        found[name].combine_chunks().cast(kind) if name in found.column_names
        else pa.nulls(found.num_rows, kind)
        for name, kind in zip(schema.names, schema.types, strict=True)
    ]  # fmt: skip
    rows = pa.Table.from_arrays(columns, schema=schema)
    writer.commit(run, [write_part(writer.estate.root, table, rows)])


def make(root: Path, count: int) -> None:
    """An estate of COUNT files, crawled and deduped."""
    config = "format: 1\nshares: [{name: dept, path: /nowhere}]\nbusiness_units:\n" + "".join(
        f"  - {{name: {area}, folders: [dept/{area}]}}\n" for area in AREAS
    )
    folders = count // FILES_PER_FOLDER + 1
    estate = create(root, config)
    files, once = range(0, count, ROWS_PER_PART), range(1)
    words = {"areas": AREAS, "kinds": KINDS, "words": WORDS, "ends": ENDS, "per": FILES_PER_FOLDER,
             "extensions": EXTENSIONS, "folders": folders}  # fmt: skip
    with writing(estate, ["inventory.py"]) as writer:
        settings = {"share": "dept", "content": True, "mime": True, "sha256": False}
        crawl = writer.begin("crawl", settings)
        fill(writer, crawl, "entries", FOLDER_ENTRIES, once, **words)
        fill(writer, crawl, "entries", ENTRIES, files, **words)
        listings = "select 1::int as scan_id, (hash(-1 - f) // 2)::bigint as entry_id, 14::int as child_count from range($folders) r(f)"
        fill(writer, crawl, "listings", listings, once, **words)
        fill(writer, crawl, "digests", DIGESTS, files)
        writer.finish(crawl, {})
        identify = writer.begin("identify", {}, [1])
        formats = f"""
            select 1::int as scan_id, (hash(i) // 2)::bigint as entry_id,
              size_bytes::varchar || ':' || upper(md5(({CONTENT})::varchar)) || ':'
              || regexp_extract(lower(name), '\\.([^.]*)$', 1) as content_key,
              $puids[1 + (hash(i) % 12)::int] as puid, 'Some format' as format_name, false as ext_mismatch
            from (select h % 4000000 as size_bytes, * from ({FILES})) where i % 4 > 0
        """
        fill(writer, identify, "formats", formats, files, **words, puids=PUIDS)
        writer.finish(identify, {"contents": count})
        dedupe = writer.begin("dedupe", {}, [1])
        fill(writer, dedupe, "groups", GROUPS, files)
        writer.finish(dedupe, {"groups": count // 9, "copies": count // 9 * 2,
                               "copies_size_bytes": 0, "hard_links": 0})  # fmt: skip


def decide(root: Path) -> None:
    """Decisions on most of an estate that has been made so and deduped."""
    estate = Estate(root)
    tables = {name: [str(part) for part in estate.parts(name)] for name in ("entries", "digests")}
    tables["groups"] = [str(part) for part in estate.parts("groups")]
    parts = 1 + estate.rows("entries") // ROWS_PER_PART
    with writing(estate, ["inventory.py"]) as writer:
        for stage, table, sql in (
            ("digest", "whole_digests", PROVED),
            ("review", "decisions", DECISIONS),
        ):
            run = writer.begin(stage, {})
            for part in range(parts):
                values = {**tables, "parts": parts, "part": part}
                asked = {name: value for name, value in values.items() if f"${name}" in sql}
                commit(writer, run, table, sql, asked)
            writer.finish(run, {})


if __name__ == "__main__":
    if sys.argv[2] == "decide":
        decide(Path(sys.argv[1]))
    else:
        make(Path(sys.argv[1]), int(sys.argv[2]))
