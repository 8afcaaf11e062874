"""The load harness: what it says of latencies, when it sends, and what."""

from __future__ import annotations

import math
import random
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.load.arrivals import Profile, arrivals, daily, last_day, retry_storm, steady, sync_burst
from benchmarks.load.bodies import BOUNDARY, Stock
from benchmarks.load.histogram import GROWTH, Histogram, shares
from benchmarks.load.processes import ServiceProcesses, _group
from benchmarks.plots import lines
from tests.contract.intake_makers import GOOD


@pytest.mark.parametrize(("draw", "count"), [
    (lambda random: random.uniform(0.001, 2.0), 1000), (lambda random: random.expovariate(10.0), 5000),
    (lambda random: random.lognormvariate(-3, 2), 5000), (lambda _random: 0.25, 10), (lambda random: random.choice((0.01, 30.0)), 999),
])
def test_percentiles_are_told_within_one_bucket(draw, count) -> None:  # type: ignore[no-untyped-def]
    chance, histogram = random.Random(5), Histogram()
    values = sorted(draw(chance) for _ in range(count))
    for value in values:
        histogram.record(value)
    for per_cent in (1, 10, 50, 90, 99, 99.9, 100):
        exact = values[math.ceil(count * per_cent / 100) - 1]
        assert exact / GROWTH <= histogram.percentile(per_cent) <= max(exact, 1e-4) * GROWTH, per_cent
    assert histogram.summary()["max_ms"] == pytest.approx(values[-1] * 1000, abs=0.01)
    points = shares(histogram.summary())
    assert points[-1][1] == 1.0
    assert points == sorted(points)


def test_a_histogram_s_memory_does_not_grow_and_two_are_one() -> None:
    one, other, both = Histogram(), Histogram(), Histogram()
    for number in range(20_000):
        seconds = (number % 977) / 100 + 1e-7
        (one if number % 2 else other).record(seconds)
        both.record(seconds)
    one.add(other)
    assert one.summary() == both.summary()
    assert len(one._counts) == len(Histogram()._counts)
    assert Histogram().summary()["p99_ms"] == 0


@pytest.mark.parametrize(("seconds", "at_least", "at_most"), [(-1.0, 0, 0.1), (0.0, 0, 0.1), (1e9, 3.6e6, 1e12)])
def test_what_is_out_of_range_is_counted_all_the_same(seconds: float, at_least: float, at_most: float) -> None:
    histogram = Histogram()
    histogram.record(seconds)
    assert histogram.summary()["count"] == 1
    assert at_least <= histogram.percentile(50) * 1000 <= at_most


@pytest.mark.parametrize(("profile", "expected"), [
    (steady(20, 300), 6000), (daily(20, 300), 6000), (last_day(6, 300), 6 * 100 * 7), (sync_burst(5, 200, 1000), 2000),
    (retry_storm(50, 60), 3000),
])
def test_as_many_arrive_as_the_curve_says(profile: Profile, expected: int) -> None:
    moments = list(arrivals(profile, 7))
    assert moments == sorted(moments)
    assert all(0 <= at < profile.seconds for at in moments)
    assert abs(len(moments) - expected) < 4 * expected**0.5  # a Poisson count leaves four deviations in one of 16,000 cases
    assert profile.mean * profile.seconds == pytest.approx(expected, rel=0.02)
    assert moments == list(arrivals(profile, 7)), "the same seed, the same moments"
    assert moments != list(arrivals(profile, 8))


def test_arrivals_do_not_keep_a_beat() -> None:
    """Of a Poisson process the counts a second vary as much as their mean; of an even beat they would not."""
    counts = Counter(int(at) for at in arrivals(steady(30, 400), 3))
    mean = sum(counts.values()) / 400
    assert 0.8 < sum((counts[second] - mean) ** 2 for second in range(400)) / 400 / mean < 1.2


def test_the_last_day_has_five_times_as_many_in_its_middle_third() -> None:
    third = Counter(int(at // 100) for at in arrivals(last_day(10, 300), 1))
    assert third[1] / ((third[0] + third[2]) / 2) == pytest.approx(5, rel=0.15)


def test_bodies_differ_and_are_whole_forms(tmp_path: Path) -> None:
    from email import message_from_bytes

    for part, data in GOOD.items():
        (tmp_path / part).with_suffix(".png" if part == "signature" else ".jpg").write_bytes(data)
    stock = Stock([tmp_path], ["first", "second"])
    seen = set()
    for _ in range(3):
        key, pieces = stock.draw()
        form = message_from_bytes(b"Content-Type: multipart/form-data; boundary=" + BOUNDARY + b"\r\n\r\n" + b"".join(pieces))
        parts = {part.get_param("name", header="content-disposition"): part.get_payload(decode=True) for part in form.get_payload()}
        assert set(parts) == {"front", "back", "selfie", "signature", "support"}
        assert {name: parts[name] for name in ("back", "selfie", "signature")} == {
            name: GOOD[name] for name in ("back", "selfie", "signature")}
        assert key.encode() in parts["front"][:40]
        assert parts["front"].replace(b"\xff\xfe\x00\x1a" + key.encode(), b"", 1) == GOOD["front"]
        seen.add((parts["front"], parts["support"]))
    assert len(seen) == 3
    assert {words for _, words in seen} == {b'{"process": "first"}', b'{"process": "second"}'}
    (tmp_path / "selfie.jpg").unlink()
    with pytest.raises(FileNotFoundError, match="no selfie"):
        Stock([tmp_path], ["first"])


def test_processes_are_found_by_what_they_inherit(tmp_path: Path) -> None:
    import subprocess
    import sys

    program = "import sys; [x for x in range(3_000_000)]; print(1, flush=True); sys.stdin.read()"
    looking = ServiceProcesses(f"MARK={tmp_path}")
    assert looking.look() == {}
    with subprocess.Popen([sys.executable, "-c", program, "api"], env={"MARK": str(tmp_path)}, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        found = looking.look()
        assert set(found) == {_group(Path("/proc", str(child.pid)))} == {"api"}
        assert found["api"].processes == 1
        assert found["api"].rss > 1_000_000
        assert found["api"].cpu > 0
        child.communicate(b"")
    assert looking.look()["api"].cpu >= found["api"].cpu, "what ended is still counted"
    assert looking.look()["api"].processes == 0


def test_a_drawing_holds_everything_it_shows() -> None:
    drawn = lines({"a<b": [(0, 1), (1, 100)], "none": []}, "t", "x", "y", log=True)
    assert drawn.startswith("<svg")
    assert "a&lt;b" in drawn
    assert "href" not in drawn
    assert lines({}, "t", "x", "y") == ""
