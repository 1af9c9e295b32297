"""What the process imports that tests/forked.py forks: all that a command may."""

import gc
import sys

from migrate.cli import WithoutPandas

sys.meta_path.insert(0, WithoutPandas)  # as a command does, before anything else

import ibis.backends.duckdb  # noqa: E402, F401
import pyarrow.compute  # noqa: E402
import pyarrow.parquet  # noqa: E402, F401
import rich.progress  # noqa: E402
import rich.table  # noqa: E402, F401
import xlsxwriter  # noqa: E402, F401

import migrate.crawl  # noqa: E402
import migrate.flag.stage  # noqa: E402
import migrate.manifest  # noqa: E402
import migrate.report.figures  # noqa: E402, F401

gc.freeze()  # what is here stays: no fork need look through it
