"""Take the sample share through every step, as three people would, and print what they see.

    python sample_data/demo.py FOLDER

FOLDER is made anew: share/ (the shared drive), estate/, filled/ (workbooks as they come back) and
store/ (the new records store).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def step(title: str, *command: str | Path, allowed: tuple[int, ...] = (0,)) -> None:
    """Print a command as one would type it, run it, stop at an unexpected exit code."""
    words = [str(word) for word in command]
    shown = " ".join(f'"{word}"' if " " in word else word for word in words)
    print(f"\n\033[1m{title}\033[0m\n$ {shown}" if sys.stdout.isatty() else f"\n{title}\n$ {shown}")
    sys.stdout.flush()
    program = [sys.executable, "-m", "migrate"] if words[0] == "migrate" else [sys.executable]
    done = subprocess.run([*program, *words[1:]], check=False)
    if done.returncode not in allowed:
        sys.exit(f"demo: that should not end with exit code {done.returncode}")


def main(folder: Path) -> None:
    """The demo, from an empty folder to a report."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.chdir(folder)
    config = (HERE / "estate.yaml").read_text(encoding="utf-8")
    Path("estate.yaml").write_text(config, encoding="utf-8")
    step("A shared drive to empty", "python", HERE / "lay_out.py", "share")
    os.environ["MIGRATE_ESTATE"] = "estate"
    step("IT engineer: an estate for it", "migrate", "init", "estate", "--config", "estate.yaml")
    step("IT engineer: read every file once", "migrate", "crawl", "--fixity", "sha256")
    step("IT engineer: what formats are these?", "migrate", "identify")
    step("IT engineer: identical files", "migrate", "dedupe")
    step("IT engineer: what is inside archives and shortcuts?", "migrate", "inspect")
    step("IT engineer: run the rules", "migrate", "flag", "--as-of", "2026-10-01")
    step("IT engineer: workbooks for those who decide", "migrate", "review", "export")
    step(
        "Records managers: fill them in",
        "python",
        HERE / "fill_in.py",
        "estate/out/review",
        "filled",
    )
    returned = sorted(Path("filled").glob("*.xlsx"))
    step("IT engineer: decisions in", "migrate", "review", "import", *returned, allowed=(0, 3))
    step("Records manager: why this file?", "migrate", "explain",
         "dept/Backup 2011/Courts/Correspondence/Counter hours.doc")  # fmt: skip
    step("IT engineer: what moves, and what becomes of the rest", "migrate", "manifest")
    step("IT engineer: the move", "migrate", "move", "--to", "store")
    step("Everybody: is it all there?", "migrate", "verify")
    step("Everybody: where do we stand?", "migrate", "status")
    step("Senior officer: the report", "migrate", "report")
    print(f"\nLook at {folder}/estate/out: review/, manifests/ and report.html")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]).absolute())
