"""Room: the command line. A verb parses, calls one stage, shows its result; no logic lives here.

A verb is loaded when it is asked for, and heavy libraries are imported inside the verbs: all answer
at once.
"""

from __future__ import annotations

import atexit
import errno
import gc
import json
import os
import signal
import sys
from importlib import import_module
from typing import NoReturn

import click

from migrate import __version__
from migrate.errors import EXIT_CODES, INTERRUPTED, MigrateError

# Where each verb is, in the order that --help shows.
VERBS = {
    "init": "crawling", "crawl": "crawling", "identify": "stages", "dedupe": "stages",
    "inspect": "stages", "flag": "stages", "run": "run", "review": "review", "manifest": "moving",
    "move": "moving", "verify": "moving", "duplicates": "look", "status": "look", "report": "look",
    "explain": "look", "changes": "changes", "rules": "rules",
}  # fmt: skip
_CODES = "\n".join(f"  {code:>3}  {meaning}" for code, meaning in EXIT_CODES.items())


class Verbs(click.Group):
    """The verbs, each loaded when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        found = getattr(import_module(f"migrate.cli.{VERBS[cmd_name]}"), cmd_name)
        assert isinstance(found, click.Command)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            if not (near := get_close_matches(args[0], VERBS, 1)):
                raise
            message = f"{error.message} Did you mean {near[0]!r}?"
            raise click.UsageError(message, error.ctx) from None


@click.group(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=f"\b\nExit codes:\n{_CODES}",
)
@click.version_option(__version__, prog_name="migrate")
def cli() -> None:
    """Empty shared drives into a records system: crawl, dedupe, flag, review, move, verify.

    \b
    Example:
      migrate init estate --share finance=/mnt/finance
      migrate run estate
      migrate review import -e estate Finance.xlsx
      migrate manifest -e estate
      migrate move -e estate --to file:///mnt/new-store
      migrate verify -e estate
    """


class WithoutPandas:
    """pyarrow, DuckDB and ibis import pandas and NumPy, where they are installed, to know whether
    they were given something of theirs. They never are: here neither is found, which saves every
    process of ours a third of a second and 60 MB."""

    @staticmethod
    def find_spec(name: str, path: object, target: object = None) -> None:
        if name in ("pandas", "numpy"):
            raise ModuleNotFoundError(name)


def _start_fast() -> None:
    """Leave out what costs every command a fifth of a second and brings it nothing."""
    sys.meta_path.insert(0, WithoutPandas)
    # Arrow's own allocator takes memory by the 2 MB, which the kernel has to clear, and gives it
    # back all the time: a tenth of a crawl's processor time.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    gc.set_threshold(100_000, 20, 50)  # modules and rows are many, and cycles few


def main() -> NoReturn:
    """The entry point: runs a verb and turns what went wrong into words and an exit code."""
    _start_fast()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    code = _run()
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:  # nobody listens, or there is no room
        code = code or 1
    os._exit(code)  # what is in memory need not be taken apart piece by piece


def _run() -> int:
    """The exit code of the verb."""
    try:
        code = cli.main(standalone_mode=False)
        return code if isinstance(code, int) else 0
    except SystemExit:  # click's, where nobody listens
        return 1
    except click.ClickException as error:
        error.show()
        _tell_script(error.format_message(), "See --help.", error.exit_code)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        todo = "Run the same command again to go on."
        return _told(["interrupted; everything committed so far is kept"], todo, INTERRUPTED)
    except MigrateError as error:
        return _told(error.lines(), error.todo, error.exit_code)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        todo = "Make room and run the same command again."
        words = f"{error.strerror}: {error.filename or ''}".rstrip(": ")
        return _told([words], todo if full else "", 1)


def _told(what: list[str], todo: str, code: int) -> int:
    """Say what went wrong, with nothing in it that could move the cursor; the exit code."""
    if _tell_script("\n".join(what), todo, code):
        return code
    from migrate.paths import printable

    for line in [f"migrate: {what[0]}", *what[1:], *([f"  {todo}"] if todo else [])]:
        click.echo(printable(line), err=True)
    return code


def _tell_script(what: str, todo: str, code: int) -> bool:
    """The same for a script, if one asks and stdout has room for it; whether it was told."""
    if "--json" not in sys.argv:
        return False
    try:
        print(json.dumps({"error": what, "todo": todo, "exit_code": code}), flush=True)
    except OSError:
        return False
    return True
