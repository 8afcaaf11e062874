"""Judged again beside the verdict: what changed in code, weights or rules shows, and nothing that was decided changes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.domain.calibration import Calibration
from pipeline.domain.evidence import FaceEvidence
from pipeline.domain.reuse import Limits
from pipeline.domain.support import State
from pipeline.errors import ApoyoError
from pipeline.judge import Judge
from pipeline.records import audit
from pipeline.records.storage import Storage, open_verdict
from pipeline.records.supports import get_support
from pipeline.reexamine import Reexaminer
from pipeline.reuse import FollowingIndex, ReuseSearch
from tests.contract.judges import NoNetworks, judge
from tests.contract.test_reuse import Scene, prints
from tests.unit.good_support import calibration, good_support


def again(scene: Scene, by: Judge) -> Reexaminer:
    limits = Limits.of(calibration())
    search = ReuseSearch(scene.storage, limits, FollowingIndex(scene.storage, limits))
    return Reexaminer(scene.storage, by, search, "test", kept_policy=True)


class OtherNetworks(NoNetworks):
    def digests(self) -> dict[str, str]:
        return {"locator": "other"}


def accepted(storage: Storage) -> tuple[Scene, str]:
    scene = Scene(storage)
    support_id = scene.send(prints(1))
    assert scene.worker().run_once() == 1
    return scene, support_id


def test_nothing_changed_is_the_same_again(storage: Storage) -> None:
    scene, support_id = accepted(storage)
    compared = again(scene, scene.judge()).compare(support_id)
    assert not compared.changed
    assert compared.checks == {}
    assert (compared.networks, compared.versions) == ([], [])
    assert set(compared.now.versions) == {"code", "thresholds"}
    assert compared.before == compared.now
    assert compared.before.outcome == "accepted"


def test_what_would_differ_now_is_told_and_the_verdict_stays(storage: Storage) -> None:
    scene, support_id = accepted(storage)
    kept = open_verdict(storage, get_support(storage.engine, support_id))
    no_face = replace(good_support(), face=FaceEvidence(None, None, None, 0, None, None), fingerprints=prints(1))
    judging = scene.judge()
    name, threshold = next(iter(judging.calibration.thresholds.items()))
    other = Calibration({**judging.calibration.thresholds, name: replace(threshold, value=threshold.value + 1)})
    stricter = replace(judging, examine=lambda *_: no_face, networks=OtherNetworks(), calibration=other)
    compared = again(scene, stricter).compare(support_id)
    assert compared.changed
    assert (compared.before.outcome, compared.now.outcome) == ("accepted", "retake")
    assert compared.checks["face_match"][0] == "passed"
    assert compared.checks["face_match"][1] != "passed"
    assert "locator" in compared.networks
    assert compared.versions == ["thresholds"]
    record = get_support(storage.engine, support_id)
    assert record.state is State.ACCEPTED
    assert open_verdict(storage, record) == kept
    told = [entry for entry in audit.list_entries(storage.engine, 0, 100) if entry.action == "support.re_examined"]
    assert [entry.subject_id for entry in told] == [support_id]
    assert audit.first_broken(storage.engine) is None


def test_a_copy_that_came_since_is_found_now(storage: Storage) -> None:
    scene, support_id = accepted(storage)
    scene.send(prints(1))
    assert scene.worker().run_once() == 1
    compared = again(scene, scene.judge()).compare(support_id)
    assert (compared.before.outcome, compared.now.outcome) == ("accepted", "review")
    assert all(name.startswith("reuse_") for name in compared.checks)


@pytest.mark.parametrize(("sent", "code"), [(False, "support_not_found"), (True, "not_judged_yet")])
def test_what_has_no_verdict_is_refused(storage: Storage, sent: bool, code: str) -> None:
    scene = Scene(storage)
    support_id = scene.send(prints(1)) if sent else "0190b2c4-0000-7000-8000-000000000000"
    with pytest.raises(ApoyoError) as refused:
        again(scene, judge()).compare(support_id)
    assert refused.value.code == code
