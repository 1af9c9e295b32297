"""Format risk: the compact table, and how it is joined."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest

from migrate.engine.query import Query
from migrate.estate import create
from migrate.paths import pack_folder
from migrate.risk import risk_table, with_risk

TABLE = pack_folder() / "format-risk.csv"


def test_the_table_is_whole():
    """Every line has a PUID or an extension, a risk and an action; no key twice."""
    rows = risk_table(TABLE).to_pylist()
    keys = [row["risk_key"] for row in rows]
    assert len(keys) == len(set(keys)) > 1000
    assert all(re.fullmatch(r"(x-)?fmt/\d+|\.[a-z0-9_+-]+", key) for key in keys)
    assert {row["format_risk"] for row in rows} == {"high", "moderate", "low"}
    assert {row["format_action"] for row in rows} == {
        "retain",
        "transform",
        "assess",
        "identify_version",
    }


@pytest.mark.parametrize(
    ("puid", "ext", "risk", "action"),
    [
        ("x-fmt/8", "dbf", "high", "transform"),  # two lines of the plan: the higher risk
        ("fmt/40", "doc", "moderate", "transform"),
        (None, "fcp", "high", "assess"),  # by extension, where no PUID is known
        ("fmt/999999", "fcp", None, None),  # a known PUID that is not rated: not by its extension
        (None, "doc", None, None),  # an extension of formats that are rated differently
        (None, "", None, None),
    ],
)
def test_by_puid_then_by_extension(tmp_path, puid, ext, risk, action):
    """A PUID decides; an extension only where there is none and it means one thing."""
    schema = pa.schema([("puid", pa.string()), ("ext", pa.string())])
    with Query(create(tmp_path / "e", "")) as query:
        [row] = query.rows(
            with_risk(query, query.given([{"puid": puid, "ext": ext}], schema), TABLE)
        )
    assert (row["format_risk"], row["format_action"]) == (risk, action)
