"""docs/paging.md names the columns of each CSV, in their order; cells cannot become formulas."""

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from gateway.api.csv_rows import COLUMNS, Writer

PAGE = (Path(__file__).resolve().parents[3] / "docs/paging.md").read_text()


def test_the_page_names_every_column_in_its_order() -> None:
    for kind, columns in COLUMNS.items():
        row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{kind.replace('_', '-')}` |"))
        assert re.findall(r"`(\w+)`", row.split("|")[2]) == [name for name, _ in columns]
        assert len({name for name, _ in columns}) == len(columns)


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ('=HYPERLINK("http://x")', '\'=HYPERLINK("http://x")'),
        ("+1+cmd|' /C calc'!A0", "'+1+cmd|' /C calc'!A0"),
        ("-2", "'-2"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t'=1"),
        ("\r=1", "'\r'=1"),
        ("＝1", "'＝1"),
        ("+61290000001", "+61290000001"),
        ('Jo "Ö", Citizen', 'Jo "Ö", Citizen'),
        ("two\nlines", "two\nlines"),
        ("x;=1+1;y", "x;'=1+1;y"),
        ("x; -1;+2", "x; '-1;'+2"),
        ("x\t@SUM(A1)", "x\t'@SUM(A1)"),
        ("x;＝1", "x;'＝1"),
        ("x\n=1", "x\n'=1"),
        ('x;"=1+1";', 'x;"\'=1+1";'),
        ("\t=1;=2", "'\t'=1;'=2"),
        ("a-b; c=d; e", "a-b; c=d; e"),
        (None, ""),
        (True, "true"),
        (42.318, "42.318"),
        (-0.5, "-0.5"),
    ],
)
def test_free_text_is_no_formula_and_numbers_stay_numbers(name: Any, cell: str) -> None:
    writer = Writer("user_calls")
    text = writer.head + writer.lines([json.dumps({"id": "x", "caller_name": name})])
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert row["caller_name"] == cell
