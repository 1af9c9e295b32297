"""Room: how likely a format is to be lost, as the US National Archives rate it.

In: facts with PUID and extension. Out: format_risk (high, moderate, low), format_action (retain,
transform, assess, identify_version) and format_plan. By PUID; by extension only where no PUID is
known and all formats with that extension are rated alike. What is not in the table is unknown.

The table is rules/format-risk.csv: NARA Digital Preservation Framework, File Format Preservation
Action Plan of 2026-03-20 (CC0, github.com/usnationalarchives/digital-preservation), by its columns
PRONOM URL, Risk Level, Preservation Action, Proposed Preservation Plan. Where two of its lines have
one PUID, the higher risk counts.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
from pyarrow import csv

from migrate.engine.query import Query

PLAN_OF = "2026-03-20"
_NAMES = {"risk": "format_risk", "action": "format_action", "plan": "format_plan"}


@cache
def risk_table(path: Path) -> pa.Table:
    """The table with one key for each line: a PUID, or `.` and an extension."""
    texts = csv.ConvertOptions(column_types=dict.fromkeys(("puid", "ext", *_NAMES), pa.string()))
    found = csv.read_csv(path, convert_options=texts).to_pylist()
    rows = [
        {"risk_key": row["puid"] or "." + row["ext"]}
        | {name: row[column] or None for column, name in _NAMES.items()}
        for row in found
    ]
    return pa.Table.from_pylist(rows)


def with_risk(query: Query, table: Any, path: Path) -> Any:
    """Facts with format_risk, format_action, format_plan; NULL where the format is not rated."""
    risks = query.given(risk_table(path))
    table = table.mutate(risk_key=ibis.coalesce(table.puid, "." + table.ext))
    return table.left_join(risks, "risk_key").drop("risk_key", "risk_key_right")
