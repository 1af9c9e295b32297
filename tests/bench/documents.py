"""PRONOM identification beside siegfried: of real documents, and of a share with its copies.

The documents are those of the sample share and whatever of office and web formats this machine has
under /usr/share: each content once, so that all have the same to do. Of a share everybody is to
know the format of every file; who asks once for each content has less to do. Peers: `sf -multi`,
where it is installed, and pygfried (siegfried's own code as a library) given all paths in one call.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

from race import Contestant, Races, fixed

MIGRATE = [sys.executable, "-m", "migrate"]
SAMPLE = Path(__file__).parents[2] / "sample_data" / "share"
WANTED = {"pdf", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "odt", "rtf", "msg", "eml", "csv",
          "htm", "html", "xml", "txt", "png", "jpg", "gif", "svg", "zip", "gz", "css", "js", "json",
          "wav", "ogg", "ttf", "py", "md"}  # fmt: skip
MOST_BYTES = 4 << 20
ONE_CALL = """
import json, os, sys, pygfried
with open(sys.argv[1]) as file:
    paths = json.load(file)
pygfried.identify_many(paths, workers=os.cpu_count())
"""


def collect(folder: Path, most: int) -> None:
    """Copy distinct documents into a new folder, `most` if there are so many."""
    seen: set[bytes] = set()
    found = [path for root in (SAMPLE, Path("/usr/share")) for path in sorted(root.rglob("*"))]
    for path in found:
        if path.suffix[1:].lower() not in WANTED or path.is_symlink() or not path.is_file():
            continue
        if not 0 < path.stat().st_size <= MOST_BYTES:
            continue
        digest = hashlib.sha256(path.read_bytes()).digest()
        if digest in seen:
            continue
        place = folder / f"{len(seen) // 200:03}"
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place / f"{len(seen)}{path.suffix}")
        seen.add(digest)
        if len(seen) == most:
            return


def race(races: Races, work: Path, files: int, share: Path) -> None:
    folder = work / f"documents, at most {files}"
    if not folder.exists():
        collect(folder, files)
    _race(races, work, folder, "documents, each once")
    _race(races, work, share, f"files, copies among them ({share.name})")


def crawl(folder: Path, estate: Path) -> None:
    shutil.rmtree(estate, ignore_errors=True)
    for words in (["init", estate, "--share", f"s={folder}"], ["crawl", "-e", estate]):
        subprocess.run([*MIGRATE, *map(str, words)], check=True, stdout=subprocess.DEVNULL)


def _race(races: Races, work: Path, folder: Path, things: str) -> None:
    paths = sorted(str(path) for path in folder.rglob("*") if path.is_file())
    listed, crawled, estate, nothing, empty = (
        work / f"documents {what}" for what in ("list", "crawled", "estate", "none", "of none")
    )
    listed.write_text(json.dumps(paths))
    nothing.mkdir(exist_ok=True)
    crawl(nothing, empty)
    crawl(folder, crawled)

    def ours() -> list[str]:
        shutil.rmtree(estate, ignore_errors=True)
        shutil.copytree(crawled, estate)
        return [*MIGRATE, "identify", "-e", str(estate)]

    contestants: dict[str, Contestant] = {
        "pygfried, one call": fixed(sys.executable, "-c", ONE_CALL, listed),
        "migrate identify": ours,
        "migrate identify, nothing to do": fixed(*MIGRATE, "identify", "-e", empty),
    }
    if sf := shutil.which("sf"):
        contestants["sf -multi 32"] = fixed(sf, "-multi", "32", "-csv", folder)
    else:
        print("\nNot installed, so not measured: sf (siegfried)")
    title = f"PRONOM identifiers of {len(paths):,} {things}"
    races.race(title, contestants, warm_up=folder, counted=("files", len(paths)))
