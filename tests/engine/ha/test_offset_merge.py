# SPDX-License-Identifier: Apache-2.0
"""Which consumer offset a slave keeps, its own or its master's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmq.broker.offset_merge import OffsetMerge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rmq.broker.offset_merge import OffsetTable

KEY = "T@g"


class Slave:
    def __init__(self) -> None:
        self.table: OffsetTable = {}
        self.merge = OffsetMerge()

    def hears(self, queues: dict[int, int]) -> Mapping[int, int]:
        for key, changed in self.merge.merge({KEY: queues}, lambda key: self.table.get(key, {})).items():
            self.table.setdefault(key, {}).update(changed)
        return self.table.get(KEY, {})


def test_the_masters_offsets_are_taken_over_as_they_grow() -> None:
    slave = Slave()
    assert slave.hears({0: 5, 1: 7}) == {0: 5, 1: 7}
    assert slave.hears({0: 6, 1: 7}) == {0: 6, 1: 7}


def test_what_was_committed_on_the_slave_while_the_master_was_away_stays() -> None:
    slave = Slave()
    slave.hears({0: 10})
    slave.merge.forget()
    slave.table[KEY][0] = 40
    assert slave.hears({0: 10}) == {0: 40}
    assert slave.hears({0: 12}) == {0: 40}
    assert slave.hears({0: 41}) == {0: 41}


def test_a_reset_on_the_master_goes_back_on_the_slave_too() -> None:
    slave = Slave()
    slave.hears({0: 10, 1: 3})
    assert slave.hears({0: 2, 1: 4}) == {0: 2, 1: 4}


def test_a_master_that_comes_back_with_older_offsets_has_not_been_reset() -> None:
    slave = Slave()
    slave.hears({0: 10})
    slave.merge.forget()
    assert slave.hears({0: 8}) == {0: 10}


def test_nothing_changes_when_both_agree() -> None:
    slave = Slave()
    slave.hears({0: 10})
    assert slave.merge.merge({KEY: {0: 10}}, lambda _: {0: 10}) == {}
