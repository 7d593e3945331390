"""How often a panel may speak: a budget of messages in any second, and what is due when.

Reads a clock's values, returns decisions. May touch: nothing. DESIGN.md section 6 (at most ten messages a second).
Every changed trait of a widget is one message to the browser, so the budget counts traits, not redraws.
"""

from __future__ import annotations

from collections import deque

__all__ = ["Pace"]


class Pace:
    """At most `most` messages within any second that begins or ends anywhere."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._sent: deque[float] = deque()

    def may(self, now: float) -> bool:
        """Whether one more message fits at `now`."""
        while self._sent and now - self._sent[0] >= 1.0:
            self._sent.popleft()
        return len(self._sent) < self.most

    def spent(self, now: float) -> None:
        """One message went out at `now`."""
        self._sent.append(now)
