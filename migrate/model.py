"""Room: the tables of an estate, each described once.

A table is a folder of Parquet parts. `visible` says which of its parts count:
  scan     of every share, the parts of its newest finished crawl (or, before the first one is
           finished, of the crawl under way)
  latest   the parts of the newest finished run of the stage that writes the table
  always   every committed part: facts that only ever accumulate

Times are integer nanoseconds UTC since 1970, sizes bytes, `entry_id` names a path in the estate:
the first 63 bits of XXH3 over share and path, so that workers, sites and later scans give the same
path the same number without asking each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import pyarrow as pa
import xxhash
from msgspec import Struct

Visible = Literal["scan", "latest", "always"]
SCHEMA_VERSION = 1
WITHDRAWN = "withdraw"  # the decision that takes an earlier one back


class Table(Struct, frozen=True):
    name: str
    stage: str
    visible: Visible
    schema: pa.Schema


def entry_id(share: str, path_raw: bytes) -> int:
    """The number of a path: 63 bits, so that it is never negative in an int64."""
    return entry_ids(share, [path_raw])[0]


def entry_ids(share: str, paths_raw: Iterable[bytes]) -> list[int]:
    """The numbers of many paths."""
    number, above = xxhash.xxh3_64_intdigest, share.encode() + b"\0"
    return [number(above + path_raw) >> 1 for path_raw in paths_raw]


_KEY = {"scan_id": pa.int32(), "entry_id": pa.int64()}
_MEMBER = pa.struct(
    {"name": pa.string(), "size_bytes": pa.int64(), "crc32": pa.int64()}  # null where it is hidden
)
# What is inside a file, beside the files of the scans that count
_INSIDE: dict[str, pa.DataType] = {
    "members": pa.int64(),
    "members_elsewhere": pa.string(),  # all | some | none
    "shortcut": pa.string(),  # works | gone | web
    "shortcut_target": pa.string(),
    "ni_numbers": pa.int64(),
    "nhs_numbers": pa.int64(),
    "prison_numbers": pa.int64(),
    "pnc_numbers": pa.int64(),
    "marking": pa.string(),
    "near_dup": pa.string(),  # newest | not_newest | none
    "near_dup_path": pa.string(),  # the newer document
    "near_dup_percent": pa.int64(),  # of the wording of both that they share
}


def _table(name: str, stage: str, visible: Visible, /, **columns: pa.DataType) -> Table:
    return Table(name, stage, visible, pa.schema(columns))


_TABLES = [
    _table(
        "entries", "crawl", "scan", **_KEY,
        parent_id=pa.int64(),  # of the share's root: its own entry_id
        share=pa.string(),
        path=pa.string(),  # below the share, '/' between names; undecodable bytes \xNN
        path_raw=pa.binary(),  # the bytes, only where `path` cannot give them back
        name=pa.string(),
        kind=pa.string(),  # file | folder | symlink | other
        depth=pa.int16(),
        size_bytes=pa.int64(),
        mtime_ns=pa.int64(),
        ctime_ns=pa.int64(),
        atime_ns=pa.int64(),
        birthtime_ns=pa.int64(),  # null where the file system keeps none
        mode=pa.int32(),
        owner=pa.string(),  # a name; the bare number or SID where nobody has it
        file_id=pa.uint64(),  # inode, or NTFS file index
        device_id=pa.uint64(),
        link_count=pa.uint32(),  # null where a listing does not tell
        attributes=pa.uint32(),  # of Windows ([MS-FSCC] 2.6); null elsewhere
        security_id=pa.int64(),  # into `securities`, where they were asked for
        link_target=pa.string(),  # symlinks
        error=pa.string(),  # why it could not be looked at
    ),
    # One row per folder that was listed to its end: what makes a crawl resumable
    _table(
        "listings", "crawl", "scan", **_KEY,
        child_count=pa.int32(),
        error=pa.string(),
    ),
    # Permissions, each distinct descriptor once (or a few times, the same)
    _table(
        "securities", "crawl", "always",
        security_id=pa.int64(),
        owner_sid=pa.string(),
        group_sid=pa.string(),
        dacl=pa.string(),  # as SDDL, see smb/security.py
        denies=pa.bool_(),  # has an entry that takes a right away
    ),
    # Whom a server means by a SID
    _table(
        "accounts", "crawl", "always",
        share=pa.string(),
        sid=pa.string(),
        name=pa.string(),
    ),
    # Alternate data streams of NTFS
    _table(
        "streams", "crawl", "scan", **_KEY,
        name=pa.string(),
        size_bytes=pa.int64(),
    ),
    _table(
        "digests", "crawl", "always", **_KEY,
        sample_xxh3=pa.binary(),  # the whole small file; head and tail of a large one
        xxh3_128=pa.binary(),  # the whole file, where it was read whole
        sha256=pa.binary(),
        mime=pa.string(),
        encrypted=pa.bool_(),
        error=pa.string(),  # why it could not be read
        read_in=pa.int32(),  # the earlier scan that read it; null: this one
    ),
    # What a scan that took digests over from an earlier one has read again to prove them
    _table(
        "proofs", "crawl", "scan", **_KEY,
        same=pa.bool_(),
        read_in=pa.int32(),
    ),
    # Whole-file digests of what the visit only sampled
    _table(
        "whole_digests", "digest", "always", **_KEY,
        xxh3_128=pa.binary(),
        sha256=pa.binary(),
        error=pa.string(),
    ),
    # PRONOM identification, once per distinct content and extension
    _table(
        "formats", "identify", "always",
        **_KEY,  # the file that was looked at
        content_key=pa.string(),
        puid=pa.string(),  # null: looked at, and not identified
        format_name=pa.string(),
        format_version=pa.string(),
        basis=pa.string(),
        ext_mismatch=pa.bool_(),
        error=pa.string(),
    ),
    _table(
        "groups", "dedupe", "latest", **_KEY,
        group_id=pa.int64(),  # the smallest entry_id among its members
        role=pa.string(),  # keeper | copy | hard_link
        keeper_id=pa.int64(),
        member_count=pa.int32(),
        size_bytes=pa.int64(),
    ),
    # All that is known of an entry: what rules, reviews and manifests read (see facts.py)
    _table(
        "facts", "facts", "latest", **_KEY,
        parent_id=pa.int64(),
        share=pa.string(),
        path=pa.string(),
        path_raw=pa.binary(),
        name=pa.string(),
        kind=pa.string(),
        size_bytes=pa.int64(),
        mtime_ns=pa.int64(),
        ctime_ns=pa.int64(),
        atime_ns=pa.int64(),
        birthtime_ns=pa.int64(),
        owner=pa.string(),
        file_id=pa.uint64(),
        device_id=pa.uint64(),
        link_count=pa.uint32(),
        link_target=pa.string(),
        attributes=pa.uint32(),
        security_id=pa.int64(),
        read_error=pa.string(),  # of the entry, its listing or its content
        child_count=pa.int32(),
        full_path=pa.string(),  # share/path
        lower_path=pa.string(),  # as rules compare it
        lower_folder=pa.string(),  # of a folder, its own path
        ext=pa.string(),
        path_len=pa.int32(),
        unit=pa.string(),
        sample_xxh3=pa.binary(),
        digest=pa.binary(),
        digest_sha256=pa.binary(),
        mime=pa.string(),
        encrypted=pa.bool_(),
        puid=pa.string(),
        format_name=pa.string(),
        identified=pa.bool_(),
        ext_mismatch=pa.bool_(),
        format_error=pa.string(),
        format_risk=pa.string(),
        format_action=pa.string(),
        format_plan=pa.string(),
        group_id=pa.int64(),
        role=pa.string(),
        dup=pa.string(),
        keeper_id=pa.int64(),
        dup_keeper_path=pa.string(),  # of a copy
        member_count=pa.int32(),
        permissions_differ=pa.bool_(),  # of a copy, from those of its keeper
        folder_copy=pa.string(),  # see copyfacts.py
        folder_copy_path=pa.string(),
        folder_copy_of=pa.string(),
        folder_copy_note=pa.string(),
        top_path=pa.string(),  # of the replicated tree it lies in
        of_path=pa.string(),
        tree_kind=pa.string(),
        tree_files=pa.int64(),
        tree_shared_files=pa.int64(),
        only_here_files=pa.int64(),
        only_here_size_bytes=pa.int64(),
        version=pa.string(),
        version_latest_path=pa.string(),
        rendition_of=pa.string(),
        **_INSIDE,
        retention_class=pa.string(),
        retention_due_ns=pa.int64(),
        retention_basis=pa.string(),
        retention_certain=pa.bool_(),
        retention_action=pa.string(),
        retention_authority=pa.string(),
        retention_period=pa.string(),
    ),
    # The folders of every tree that exists elsewhere, wholly or nearly; see replicas.py
    _table(
        "folder_copies", "dedupe", "latest",
        **_KEY,  # a folder of the tree; of its top, entry_id is top_id
        top_id=pa.int64(),
        of_id=pa.int64(),  # the folder in which its content is kept
        kind=pa.string(),  # identical | contained | overlap
        top_path=pa.string(),  # share/folder
        of_path=pa.string(),
        # of the whole tree: files with content, those whose keeper is in `of`, and those
        # whose content is nowhere else
        files=pa.int64(),
        size_bytes=pa.int64(),
        shared_files=pa.int64(),
        shared_size_bytes=pa.int64(),
        only_here_files=pa.int64(),
        only_here_size_bytes=pa.int64(),
    ),
    # What is inside a file, once per distinct content and extension
    _table(
        "looks", "inspect", "always",
        **_KEY,  # the file that was looked into
        content_key=pa.string(),
        what=pa.string(),  # archive | shortcut | document
        members=pa.list_(_MEMBER),  # files packed in an archive
        target=pa.string(),  # of a shortcut
        words=pa.int32(),  # of a document's text, as are the following; 0: only this
        ni_numbers=pa.int32(),
        nhs_numbers=pa.int32(),
        prison_numbers=pa.int32(),
        pnc_numbers=pa.int32(),
        marking=pa.string(),
        minhash=pa.list_(pa.uint32()),  # null for a text of few words
        bands=pa.list_(pa.int64()),
        error=pa.string(),
    ),
    # Of files that have the name and size of one in an archive
    _table(
        "checksums", "inspect", "always", **_KEY,
        content_key=pa.string(),
        crc32=pa.int64(),
        error=pa.string(),
    ),
    # What `looks` mean beside the files of the scans that count; one row per content
    _table(
        "inside", "inspect", "latest",
        content_key=pa.string(),
        **_INSIDE,
    ),
    _table(
        "findings", "flag", "latest", **_KEY,
        rule_id=pa.string(),
        title=pa.string(),
        category=pa.string(),
        confidence=pa.string(),
        action=pa.string(),
        reason=pa.string(),
        authority=pa.string(),
        rule_source=pa.string(),  # file:line of the rule
        deciding=pa.bool_(),
        needs_keeper=pa.bool_(),  # true only as long as another copy stays
    ),
    # Content that was in the scope of a hold: it stays held where it is moved or renamed
    _table(
        "held", "flag", "always", **_KEY,
        hold=pa.string(),  # the hold's words, see holds.wording
        size_bytes=pa.int64(),
        sample_xxh3=pa.binary(),
    ),
    _table(
        "decisions", "review", "always", **_KEY,
        decision=pa.string(),  # migrate | dispose | leave | withdraw
        was=pa.string(),  # what stood before, in the same scope
        comment=pa.string(),
        decided_by=pa.string(),
        decided_at=pa.string(),
        scope=pa.string(),  # file | copies | folder | rule: what was decided as one
        rule_id=pa.string(),  # what was proposed to the person who decided
        proposal=pa.string(),
        workbook=pa.string(),
        workbook_sha256=pa.string(),
        sheet=pa.string(),
        row=pa.int32(),
        size_bytes=pa.int64(),  # the state that was decided on
        mtime_ns=pa.int64(),
        sample_xxh3=pa.binary(),
        digest=pa.binary(),  # of the whole file, where it was known
        decision_seq=pa.int64(),  # the last decision on an entry counts
    ),
    _table(
        "outcomes", "manifest", "latest", **_KEY,
        outcome=pa.string(),
        why=pa.string(),
        size_bytes=pa.int64(),
    ),
    _table(
        "manifest", "manifest", "latest", **_KEY,
        share=pa.string(),
        source_path=pa.string(),
        path_raw=pa.binary(),
        kind=pa.string(),
        size_bytes=pa.int64(),
        mtime_ns=pa.int64(),
        birthtime_ns=pa.int64(),
        xxh3_128=pa.binary(),
        sha256=pa.binary(),
        mime=pa.string(),
        puid=pa.string(),
        target_path=pa.string(),
        renamed_from=pa.string(),
        rename_reason=pa.string(),
        retention_class=pa.string(),
        sensitivity=pa.string(),
        duplicate_of=pa.string(),
        owner=pa.string(),
        decided_by=pa.string(),
        decided_at=pa.string(),
        comment=pa.string(),
        also_at=pa.int64(),  # how many other copies and names: rows of `also_at`
    ),
    # Where else the content of a manifest line was: context that may be evidence later
    _table(
        "also_at", "manifest", "latest",
        **_KEY,  # the copy, or further name
        line_id=pa.int64(),  # the entry_id of the line
        source_path=pa.string(),  # share/folder/name of the line
        path=pa.string(),  # and of this one
        role=pa.string(),  # keeper | copy | hard_link, as dedupe had chosen
        owner=pa.string(),
        mtime_ns=pa.int64(),
        birthtime_ns=pa.int64(),
        permissions_differ=pa.bool_(),
        outcome=pa.string(),
    ),
    _table(
        "receipts", "move", "always",
        manifest_run=pa.int32(),
        entry_id=pa.int64(),
        target=pa.string(),
        target_path=pa.string(),
        status=pa.string(),  # verified | held | changed | missing | conflict | failed
        size_bytes=pa.int64(),
        mtime_ns=pa.int64(),
        xxh3_128=pa.binary(),
        sha256=pa.binary(),
        detail=pa.string(),
        verified_at=pa.string(),
    ),
]  # fmt: skip

TABLES: dict[str, Table] = {table.name: table for table in _TABLES}
