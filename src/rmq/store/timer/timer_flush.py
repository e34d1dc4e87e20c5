# SPDX-License-Identifier: Apache-2.0
"""What of the timer's files has changed, on its way to the disk."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .timer_books import TimerBooks


class TimerChanges:
    """Log, wheel, checkpoint: in this order, so that nothing on the disk points at what is not there."""

    is_lost = False
    """A sync of the log or the checkpoint failed: what was written to them before is not known to be there any more.
    The wheel and the metrics are written again as a whole."""

    def __init__(self, books: TimerBooks) -> None:
        self._books = books
        self._files = books.log.files_to_flush()
        self._pages = books.wheel.take_changes()
        self._end = books.log.end
        self._is_metrics_dirty, books.metrics.is_dirty = books.metrics.is_dirty, False
        self._metrics = books.metrics.wrapper()

    def write(self, *, with_checkpoint: bool) -> None:
        """Blocking, in another thread. Raises OSError."""
        with self._or_lost():
            for file in self._files:
                file.datasync()
        self._books.write_wheel(self._pages)
        if with_checkpoint:
            with self._or_lost():
                self._books.sync_checkpoint()
        if self._is_metrics_dirty:
            self._books.metrics.persist(self._metrics)

    def written(self) -> None:
        self._books.flushed(self._end)

    def failed(self) -> None:
        self._books.wheel.changes_failed(self._pages)
        self._books.metrics.is_dirty |= self._is_metrics_dirty

    @contextlib.contextmanager
    def _or_lost(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            self.is_lost = True
            raise
