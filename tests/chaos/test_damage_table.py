# SPDX-License-Identifier: Apache-2.0
"""Our column of the table in docs/damage-table.md, with a real broker. `make damage-table` makes both columns anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.interop.harness.engine import ENGINES

from .damage_table import FULL_COUNT, ROWS, Row, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import PrintFigures

SHORT_COUNT = 1500

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Table]:
    count = FULL_COUNT if request.config.getoption("--full") else SHORT_COUNT
    with Table(ENGINES["python"], tmp_path_factory.mktemp("table"), count) as table:
        yield table


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.name} ({row.exit})")
def test_every_message_is_back_but_damaged_ones(table: Table, row: Row, print_figures: PrintFigures) -> None:
    seen = table.run(row)
    if row.refused:
        assert row.refused in seen.refused
        assert "character" in seen.refused, "the place is named"
        return
    assert seen.text().startswith(f"{len(table.acknowledged(row)) - row.loses:,}"), seen.text()
    assert seen.wrong == 0
    notes = [note for note in seen.notes if not note.startswith("while running")]
    assert notes == []
    print_figures(seen.text())
