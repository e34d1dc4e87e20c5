# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.engine.client.engine_processes import Engine

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Two masters, broker-a and broker-b, shared by tests that use topics of their own."""
    with Engine(tmp_path_factory.mktemp("engine"), ["broker-a", "broker-b"]) as engine:
        yield engine
