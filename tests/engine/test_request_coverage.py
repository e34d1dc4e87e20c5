# SPDX-License-Identifier: Apache-2.0
"""Which request codes that clients, mqadmin and brokers of 5.4.0 send are answered, and who answers them.

The table is what was seen on the wire of Apache's mqadmin, its Java client and a Java slave. A: needed in the four
classic modes. B: good to have.
"""

from __future__ import annotations

import pytest
from tests.engine.broker.harness import Broker
from tests.engine.namesrv.harness import NameServer

from rmq.remoting.codes import RequestCode, ResponseCode

BROKER_A = (
    *(10, 11, 12, 14, 15, 17, 18, 21, 25, 26, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 41, 42, 43, 45, 46, 60, 61),
    *(200, 201, 202, 203, 204, 207, 208, 215, 222, 225, 300, 305, 306, 307, 309, 310, 315, 316, 317, 320, 321, 324),
    *(325, 328, 329, 351, 361, 402, 907),
)
BROKER_B = (
    *(223, 303, 308, 314, 323, 343, 345, 352, 353, 370, 400, 401, 908),
    *range(3001, 3011),
    *(200050, 200051, 200053, 200151),
)
NAMESRV_A = (100, 101, 102, 103, 104, 105, 106, 205, 206, 216, 318, 319, 327)
NAMESRV_B = (219, 224, 304, 311, 312, 313, 322)


@pytest.mark.parametrize("code", [*BROKER_A, *BROKER_B])
def test_broker_answers(code: int) -> None:
    answered = {int(known) for known in Broker().controller.processors.table}
    assert code in answered, f"nobody answers {RequestCode(code).name}"


@pytest.mark.parametrize("code", [*NAMESRV_A, *NAMESRV_B])
def test_name_server_answers(code: int) -> None:
    """Without fields: it may refuse them, but it knows the code."""
    assert NameServer().client.ask(code).code != ResponseCode.REQUEST_CODE_NOT_SUPPORTED


def test_codes_that_nobody_knows_are_refused_in_apaches_words() -> None:
    answer = Broker().client().ask(31000)
    assert (answer.code, answer.remark) == (3, " request type 31000 not supported")
