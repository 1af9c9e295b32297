"""Room: estate.yaml, the one file in which people say what an estate is.

In: estate.yaml. Out: a frozen `Config`. Errors name file, line and column, all of them at once.
Never: a secret; credentials come from the environment or a keyring.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from msgspec import Meta, field

from migrate.errors import Fault, RulesInvalid
from migrate.hours import Hours
from migrate.place import Place
from migrate.registers import read_register
from migrate.smb.address import is_address, parse_address
from migrate.strict import Strict, validate
from migrate.yamlfile import Document, read_yaml, suggestion

KeeperTest = Literal[
    "in_file_plan", "preferred_folder", "not_a_copy_folder", "oldest", "shortest_path"
]


def _share_name(name: str) -> str:
    if not re.fullmatch(r"\w[\w .&()+-]*", name) or name.strip(" .") != name:
        raise ValueError("a share's name is plain words: letters, digits, spaces and . & ( ) + -")
    return name


def _folder(folder: str) -> str:
    """share/folder/folder, as paths are written everywhere in the estate."""
    clean = folder.strip("/")
    if "\\" in clean or any(part in ("", ".", "..") for part in clean.split("/")):
        raise ValueError("a folder is written share/folder/folder, with '/' and no '..'")
    return clean


def _container(container: str) -> str:
    clean = container.strip("/")
    parts = clean.split("/")
    if any(part in ("", ".", "..") for part in parts) or clean[0] in "=+-@":
        raise ValueError(
            "a container is written name/name: no '..', no empty name, no = + - @ first"
        )
    return clean


def _windows_root(root: str) -> str:
    clean = root.rstrip("\\")
    if not re.fullmatch(r"[A-Za-z]:(\\[^\\/:]+)*|\\\\[^\\/]+(\\[^\\/]+)+", clean):
        raise ValueError("written as Windows does: 'S:', 'S:\\Folder' or '\\\\server\\share'")
    return clean


Folder = Annotated[str, _folder]


class Share(Strict, frozen=True):
    name: Annotated[str, _share_name]
    path: str  # where it is mounted; relative to estate.yaml
    link: str | None = None  # how reviewers' machines reach it (\\\\server\\share), if otherwise
    known_as: list[Annotated[str, _windows_root]] = []  # S:, \\\\old\\share
    disk: Literal["solid", "rotating"] = "solid"  # rotating: one reader at a time, in its order
    # What tells a rescan that a file is unchanged where a server has no time of change of its own
    rescan_by: Literal["change_time", "write_time"] = "change_time"


class Server(Strict, frozen=True):
    """How a file server may be asked; every limit is for all workers together."""

    host: Annotated[str, str.lower]
    user: str | None = None  # the password comes from the environment or a keyring
    auth: Literal["negotiate", "kerberos", "ntlm"] = "negotiate"
    encrypt: bool = False  # refuse a server that does not encrypt
    connections: Annotated[int, Meta(ge=1, le=64)] = 4
    requests: Annotated[int, Meta(ge=1, le=4096)] = 64  # in flight at once
    requests_per_second: Annotated[float, Meta(gt=0)] | None = None
    megabytes_per_second: Annotated[float, Meta(gt=0)] | None = None
    hours: list[Hours] = []  # when it may be asked; empty: always
    timeout_seconds: Annotated[float, Meta(ge=1, le=3600)] = 30
    retries: Annotated[int, Meta(ge=0, le=100)] = 10  # connections tried in a row
    plain: bool = False  # one request at a time, by smbprotocol alone


class BusinessUnit(Strict, frozen=True, kw_only=True):
    name: Annotated[str, Meta(min_length=1)]
    reviewer: str = ""
    folders: list[Folder]


class FilePlanLine(Strict, frozen=True):
    folder: Folder
    container: Annotated[str, _container]
    retention_class: str | None = None
    closed: date | None = None  # without it the day can only be inferred


# Names of folders in which the live copy is not looked for. This only decides between identical
# copies, so a name too many (a policy on backups) costs little; one too few keeps the backup and
# lets the live folder go.
COPY_FOLDERS = [
    "*backup*", "back?up*", "* back?up", "bak", "bak *", "*.bak", "*_bak",
    "copy", "copy of *", "copy (*) of *", "* copy", "*_copy", "*-copy", "* copy ?", "* copy (*)",
    "old", "old *", "old_*", "* old", "*_old", "*-old", "*(old)", "obsolete", "superseded", "zz*",
    "redundant", "do not use", "delete", "to delete",
    "archive", "personal", "private", "desktop", "downloads", "temp", "tmp",
]  # fmt: skip
# And names that are none, though they look like one of them.
NOT_COPY_FOLDERS = ["old?bailey*", "old age*", "*year old", "*years old", "master copy"]


class Keeper(Strict, frozen=True):
    prefer: list[KeeperTest] = field(default_factory=lambda: [*get_args(KeeperTest)])
    master_folders: list[Folder] = []  # always keepers; nothing in them goes as redundant
    preferred_folders: list[Folder] = []
    copy_folders: list[str] = field(default_factory=COPY_FOLDERS.copy)
    not_copy_folders: list[str] = field(default_factory=NOT_COPY_FOLDERS.copy)


class ReplicatedFolders(Strict, frozen=True):
    overlap_percent: Annotated[float, Meta(gt=50, le=100)] = 90  # from here it is reported


class RuleChanges(Strict, frozen=True):
    off: dict[str, str] = {}  # rule id -> why it is switched off
    set: dict[str, dict[str, str]] = {}  # rule id -> parameter -> value, and `reason`


class Rules(RuleChanges, frozen=True):
    files: list[str] = []  # more rule files, relative to estate.yaml
    units: dict[str, RuleChanges] = {}  # what is different in one business unit


class Hold(Strict, frozen=True, kw_only=True):
    """One hold. It is in force from the moment it is written here until the day it is released;
    `issued` and `effective` are for the record."""

    reference: Annotated[str, Meta(min_length=1)]
    title: str
    authority: Annotated[str, Meta(min_length=1)]
    contact: str = ""
    issued: date
    effective: date | None = None
    released: date | None = None
    match: dict[str, Any]


class Inspect(Strict, frozen=True):
    """What `migrate inspect` looks into, beside archives' lists and shortcuts."""

    text: bool = False  # documents' text: counts of personal numbers, markings, near duplicates


class Review(Strict, frozen=True):
    due: date | None = None  # by when workbooks are to come back
    rows_per_workbook: Annotated[int, Meta(ge=1, le=1_000_000)] = 20_000  # Excel holds 1,048,576
    files: Literal["flagged", "all"] = "flagged"  # which are listed beneath their folder's line


Period = Annotated[
    str,
    Meta(  # `$` alone would let a line end pass after it
        pattern=r"^[1-9][0-9]{0,2}(d|w|mo|y)$(?!\n)",
        description="a period such as 90d, 26w, 6mo or 7y",
    ),
]
Trigger = Literal["folder_closed", "last_correspondence", "document_date", "last_modified"]


class Schedule(Strict, frozen=True, kw_only=True):
    """How long a retention class is kept, counted from what, and what happens then."""

    retention_class: Annotated[str, Meta(min_length=1)]
    title: str = ""
    trigger: Trigger
    period: Period | None = None  # none: only for what is kept for good
    action: Literal["destroy", "review", "transfer", "keep"]
    authority: Annotated[str, Meta(min_length=1)]


class Rescan(Strict, frozen=True):
    """How much of what a scan takes over from an earlier one it reads again to prove it."""

    proof_percent: Annotated[float, Meta(ge=0.001, le=100)] = 0.1


class Cost(Strict, frozen=True):
    """What storage costs, so that the report can say what copies cost."""

    per_gb_year: Annotated[float, Meta(gt=0)]  # of 1,073,741,824 bytes
    currency: Annotated[str, Meta(min_length=1, max_length=5)] = "£"


class Target(Strict, frozen=True):
    name_rules: Literal["sharepoint", "windows"] = "sharepoint"


class Config(Strict, frozen=True, kw_only=True):
    """estate.yaml. Folders are written share/folder, globs know * and ?."""

    format: Literal["1"]
    title: str = "Shared drives"
    as_of: date | None = None  # ages count back from here; default: the day of the newest crawl
    base: str | None = None  # what relative paths are relative to; default: this file's folder
    shares: Annotated[list[Share], Meta(min_length=1)]
    servers: list[Server] = []
    business_units: list[BusinessUnit] = []
    file_plan: list[FilePlanLine] = []
    keeper: Keeper = Keeper()
    replicated_folders: ReplicatedFolders = ReplicatedFolders()
    rules: Rules = Rules()
    lists: dict[str, str] = {}  # name -> file with one value a line, for |in_list and |under_list
    holds: list[Hold] = []
    inspect: Inspect = Inspect()
    review: Review = Review()
    hold_files: list[str] = []  # more of the hold register: .yaml, .xlsx or .csv
    retention: list[Schedule] = []
    retention_files: list[str] = []  # more retention schedules: .yaml, .xlsx or .csv
    rescan: Rescan = Rescan()
    storage_cost: Cost | None = None
    target: Target = Target()

    def share(self, name: str) -> Share:
        return next(share for share in self.shares if share.name == name)


def load(path: Path) -> tuple[Config, Document]:
    """Read estate.yaml and the registers it names.

    Errors: RulesInvalid."""
    document = read_yaml(path)
    document.name = path.name
    config = checked(document)
    base = base_folder(config, path.parent)
    for key, names in (("holds", config.hold_files), ("retention", config.retention_files)):
        for name in names:
            document.include(key, read_register(base / name, name, key))
    if config.hold_files or config.retention_files:
        config = checked(document)
    if faults := _class_faults(config, document):
        raise RulesInvalid(faults)
    return config, document


def _class_faults(config: Config, document: Document) -> list[Fault]:
    """Classes without a schedule (nobody could say how long such a folder is kept, nor what
    happens then), or with two."""
    known = [schedule.retention_class for schedule in config.retention]
    faults = [
        document.fault(
            ("file_plan", number, "retention_class"),
            f"the class {line.retention_class!r} has no schedule"
            + (suggestion(line.retention_class, known) if known else "; add it under `retention`"),
        )
        for number, line in enumerate(config.file_plan)
        if line.retention_class is not None and line.retention_class not in known
    ]
    for number, schedule in enumerate(config.retention):
        place = ("retention", number)
        if schedule.retention_class in known[:number]:
            message = f"the class {schedule.retention_class!r} has two schedules"
            faults.append(document.fault((*place, "retention_class"), message))
        if schedule.period is None and schedule.action != "keep":
            faults.append(document.fault(place, f"to {schedule.action} needs a period, such as 7y"))
    return faults


def checked(document: Document) -> Config:
    """A document as a Config.

    Errors: RulesInvalid with all faults."""
    config = validate(document, Config)
    faults = [document.fault(place, message) for place, message in _cross_faults(config)]
    if faults:
        raise RulesInvalid(faults)
    return config


def _cross_faults(config: Config) -> list[tuple[tuple[str | int, ...], str]]:
    """What no single field can know: names used twice, folders on no share."""
    faults: list[tuple[tuple[str | int, ...], str]] = []
    names = [share.name for share in config.shares]
    for number, name in enumerate(names):
        if name.casefold() in [other.casefold() for other in names[:number]]:
            faults.append((("shares", number, "name"), f"two shares are called {name!r}"))
    places: list[tuple[tuple[str | int, ...], str]] = [
        (("business_units", u, "folders", n), folder)
        for u, unit in enumerate(config.business_units)
        for n, folder in enumerate(unit.folders)
    ]
    places += [(("file_plan", n, "folder"), line.folder) for n, line in enumerate(config.file_plan)]
    for key in ("master_folders", "preferred_folders"):
        nominated = enumerate(getattr(config.keeper, key))
        places += [(("keeper", key, n), folder) for n, folder in nominated]
    for place, folder in places:
        share = folder.split("/")[0]
        if share not in names:
            faults.append((place, f"{folder!r} is on no share{suggestion(share, names)}"))
    references = [hold.reference for hold in config.holds]
    for number, reference in enumerate(references):
        if reference in references[:number]:
            faults.append((("holds", number, "reference"), f"two holds are called {reference!r}"))
        hold = config.holds[number]
        if hold.released is not None and hold.released < hold.issued:
            faults.append((("holds", number, "released"), "a hold cannot end before it is issued"))
    units = [unit.name for unit in config.business_units]
    for name in config.rules.units:
        if name not in units:
            known = suggestion(name, units) if units else "; estate.yaml has no business units"
            faults.append((("rules", "units", name), f"there is no business unit {name!r}{known}"))
    unit_names = [unit.name.casefold() for unit in config.business_units]
    for number, unit_name in enumerate(unit_names):
        if unit_name in unit_names[:number]:
            faults.append((("business_units", number, "name"), "two units have this name"))
    return faults


def base_folder(config: Config, estate_root: Path) -> Path:
    """What relative paths in estate.yaml are relative to."""
    return Path(config.base) if config.base else estate_root


def share_place(config: Config, estate_root: Path, name: str) -> Place:
    """Where a share is; an absolute path and an address are as they are written."""
    share = config.share(name)
    path, rotating = share.path, share.disk == "rotating"
    if is_address(path) or "://" in path:
        return place(config, path)._replace(rotating=rotating)
    if not Path(path).is_absolute() and not path.startswith(("\\\\", "//")):
        path = str((base_folder(config, estate_root) / path).resolve())
    return Place(path, rotating=rotating)


def share_places(config: Config, estate_root: Path) -> dict[str, Place]:
    """Where the shares are, by name."""
    return {share.name: share_place(config, estate_root, share.name) for share in config.shares}


def place(config: Config, address: str) -> Place:
    """A server's share, with what estate.yaml says of the server."""
    if not is_address(address):
        return Place(address)
    host = parse_address(address).host
    servers = {server.host: server for server in config.servers}
    return Place(address, servers.get(host) or Server(host=host))


TEMPLATE = """\
# What this estate is. The README explains every key; `migrate status` says what comes next.
format: 1
title: {title}
shares:
{shares}
# business_units:          # one review workbook each; what no unit owns goes to "Unassigned"
#   - {{name: Finance, reviewer: Finance records manager, folders: [{first}/Finance]}}
# file_plan:               # where folders go in the new store, and under which retention class
#   - {{folder: {first}/Finance/Invoices, container: Finance/Invoices, retention_class: FIN-03}}
# retention:               # one schedule for every class above
#   - {{retention_class: FIN-03, trigger: folder_closed, period: 6y, action: destroy,
#      authority: Finance schedule 3}}
# holds:                   # nothing that matches is moved or disposed of
#   - reference: INQ-1
#     title: Public inquiry
#     authority: Inquiries Act 2005 s.35
#     issued: 2024-03-01
#     match: {{path|under: [{first}/Prisons/Healthcare]}}
target:
  name_rules: sharepoint   # or: windows
"""
