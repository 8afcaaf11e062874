"""Time as an input: what asks for the time takes a `Clock`, so that tests can turn it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

Clock = Callable[[], datetime]
"""Gives an aware moment. `utc_now` in the service; a closure over a fixed moment in tests."""

MEXICO_CITY = ZoneInfo("America/Mexico_City")


def utc_now() -> datetime:
    """This moment, aware, in UTC."""
    return datetime.now(UTC)


def today_in_mexico(clock: Clock = utc_now) -> date:
    """The calendar day in Mexico City."""
    return clock().astimezone(MEXICO_CITY).date()


def day_of_capture(captured_at: datetime | None, clock: Clock = utc_now) -> date:
    """The day, in Mexico City, by which a support is judged unless it says another: that of its capture, for what was captured
    offline arrives later. A phone's clock that runs ahead does not reach into the future; unknown: today."""
    today = today_in_mexico(clock)
    return today if captured_at is None else min(today, captured_at.astimezone(MEXICO_CITY).date())


def from_millis(millis: int) -> datetime:
    """A moment of the database (milliseconds since 1970-01-01 UTC) as an aware datetime."""
    return datetime.fromtimestamp(millis / 1000, UTC)
