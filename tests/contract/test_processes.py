"""Processes as data: what an operator applies, what is said of a mistake, and by which version a support is judged."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest
from typer.testing import CliRunner

from pipeline.cli.main import app as command
from pipeline.domain.card_model import CardModel
from pipeline.domain.evidence import SignatureKind
from pipeline.domain.process import DEMO_PROCESS, IN_EARNEST
from pipeline.domain.verdict import CheckName
from pipeline.errors import BadInput, Conflict, NotFound
from pipeline.records.processes import ProcessFile, apply_process, find_process, list_processes, read_process_file
from pipeline.records.storage import Storage, open_storage
from pipeline.records.supports import get_support
from pipeline.settings import StorageSettings, WorkerSettings
from pipeline.worker import Worker
from tests.contract.intake_makers import OFFICER, files, service
from tests.contract.judges import judge
from tests.contract.test_api_refusals import check_problem
from tests.contract.test_api_rounds import retake
from tests.unit.good_support import good_support
from tests.unit.test_decide import signed

EDOMEX = """
id = "edomex-2027"
name = "Consulta"
applicants = ["A-001", "A-002"]
accepted_models = ["H", "G"]
required = ["curp", "expiry"]
states = ["15"]
opens = 2026-11-01
closes = 2026-12-15
max_retakes = 2
retention_days = 90

[[extensions]]
expiry_year = 2026
valid_until = 2027-06-30
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "process.toml"
    file.write_text(text, encoding="utf-8")
    return file


def apply(storage: Storage, folder: Path, text: str) -> str:
    return apply_process(storage.engine, read_process_file(written(folder, text))).version


def test_without_an_operator_only_demo_is_known(storage: Storage) -> None:
    assert [one.process for one in list_processes(storage.engine)] == [DEMO_PROCESS]
    assert find_process(storage.engine, "demo").process is DEMO_PROCESS


def test_a_process_is_read_and_what_it_leaves_out_is_as_in_demo(storage: Storage, tmp_path: Path) -> None:
    assert apply(storage, tmp_path, EDOMEX) == "edomex-2027-1"
    process = find_process(storage.engine, "edomex-2027").process
    assert (process.states, process.accepted_models) == ({"15"}, {CardModel.G, CardModel.H})
    assert (process.required, process.applicants) == ({CheckName.CURP, CheckName.EXPIRY}, {"A-001", "A-002"})
    assert (process.max_retakes, process.retention_days, process.version) == (2, 90, "edomex-2027-1")
    assert process.valid_until(2026, "15") == date(2027, 6, 30)
    assert process.e_f_issued_from == DEMO_PROCESS.e_f_issued_from
    assert [process.takes(date(2026, 11, 1)), process.takes(date(2026, 10, 31))] == [True, False]
    assert [process.takes(date(2026, 12, 15)), process.takes(date(2026, 12, 16))] == [True, False]


def test_every_change_is_a_version_and_the_same_again_is_none(storage: Storage, tmp_path: Path) -> None:
    apply(storage, tmp_path, EDOMEX)
    reordered = EDOMEX.replace('["H", "G"]', '["G", "H"]')
    assert apply_process(storage.engine, read_process_file(written(tmp_path, reordered))).changed == ()
    changed = apply_process(storage.engine, read_process_file(written(tmp_path, EDOMEX.replace('["15"]', '["09"]'))))
    assert (changed.version, changed.changed) == ("edomex-2027-2", ("states",))
    assert find_process(storage.engine, "edomex-2027").process.states == {"09"}
    assert find_process(storage.engine, "edomex-2027", "edomex-2027-1").process.states == {"15"}
    assert [one.process.version for one in list_processes(storage.engine)] == ["demo-1", "edomex-2027-2"]
    for missing in (("edomex-2027", "edomex-2027-9"), ("edomex-2027", "demo-1"), ("demo", "demo-2"), ("none", None)):
        with pytest.raises(NotFound):
            find_process(storage.engine, *missing)


def test_of_many_that_apply_at_once_each_is_a_version_or_refused(storage: Storage, tmp_path: Path) -> None:
    texts = [EDOMEX.replace("max_retakes = 2", f"max_retakes = {number}") for number in range(8)]
    files_ = [read_process_file(written(tmp_path, text)) for text in texts]

    def one(written: ProcessFile) -> str | None:
        try:
            return apply_process(storage.engine, written).version
        except Conflict:
            return None

    with ThreadPoolExecutor(8) as pool:
        versions = sorted(version for version in pool.map(one, files_) if version is not None)
    assert versions == [f"edomex-2027-{number}" for number in range(1, len(versions) + 1)]
    assert versions


@pytest.mark.parametrize(("text", "said"), [
    ("id = =\n", "line 1"), ("", "id"), ('id = "X y"', "id"), ('id = "demo"', "built in"), ('id = "x"\nstetes = ["15"]', "stetes"),
    ('id = "x"\nrequired = ["moon"]', "required"), ('id = "x"\nrequired = []', "required"), ('id = "x"\nstates = ["33"]', "states"),
    ('id = "x"\nsections = ["12"]', "sections"), ('id = "x"\naccepted_models = ["Z"]', "accepted_models"),
    ('id = "x"\nmax_retakes = -1', "max_retakes"), ('id = "x"\nopens = 2027-02-01\ncloses = 2027-01-01', "closes"),
    ('id = "x"\nopens = "soon"', "opens"), ('id = "x"\napplicants = ["Juan Pérez"]', "applicants"),
    ('id = "x"\n[[extensions]]\nexpiry_year = 2026\nvalid_until = 2026-06-30', "2026"), ('id = "x', "end of document")])
def test_a_mistake_is_named_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadInput) as caught:
        read_process_file(written(tmp_path, text))
    assert (caught.value.code, said in caught.value.detail) == ("bad_process_file", True), caught.value.detail
    assert "process.toml" in caught.value.detail


def test_a_file_that_is_not_there_or_no_text_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    for name in ("none.toml", "bytes.toml"):
        with pytest.raises(BadInput):
            read_process_file(tmp_path / name)


def test_the_running_service_reads_what_was_applied(tmp_path: Path) -> None:
    async def run() -> None:
        with service(tmp_path) as under_test:
            apply(under_test.storage, tmp_path, EDOMEX)
            listed = (await under_test.client.get("/v1/processes")).json()["data"]
            assert [one["id"] for one in listed] == ["demo", "edomex-2027"]
            one = (await under_test.client.get("/v1/processes/edomex-2027", headers=OFFICER)).json()
            assert one == listed[1]
            assert set(one) == {*ProcessFile.model_fields, "version", "applied_at"}, "all that was written is told"
            assert (one["version"], one["applicants"], one["closes"]) == ("edomex-2027-1", ["A-001", "A-002"], "2026-12-15")
            old = await under_test.client.get("/v1/processes/edomex-2027", params={"version": "edomex-2027-1"})
            assert old.json() == one
            for path in ("/v1/processes/none", "/v1/processes/edomex-2027?version=edomex-2027-7"):
                check_problem(await under_test.client.get(path), 404, "process_not_found")

    anyio.run(run)


NOW = datetime(2026, 12, 20, 18, tzinfo=UTC)
LATE, IN_TIME = "2026-12-16T00:30:00-06:00", "2026-12-15T23:30:00-06:00"


@pytest.mark.parametrize(("words", "status", "code"), [
    ({"applicant": "A-001", "captured_at": IN_TIME}, 202, ""), ({"applicant": "A-001", "captured_at": LATE}, 422, "process_closed"),
    ({"applicant": "A-001"}, 422, "process_closed"), ({"applicant": "A-003", "captured_at": IN_TIME}, 422, "applicant_unknown"),
    ({"captured_at": IN_TIME}, 422, "applicant_unknown")])
def test_a_process_takes_its_applicants_supports_of_its_days(words: dict[str, Any], status: int, code: str, tmp_path: Path) -> None:
    """Captured offline within its days, a support may arrive after them."""
    async def run() -> None:
        with service(tmp_path, clock=lambda: NOW) as under_test:
            apply(under_test.storage, tmp_path, EDOMEX)
            sent = [*files(), ("support", ("", json.dumps({"process": "edomex-2027", **words}).encode()))]
            answer = await under_test.send(files=sent)
            if code:
                check_problem(answer, status, code)
            else:
                record = get_support(under_test.storage.engine, answer.json()["id"])
                assert (answer.status_code, record.policy_version, record.applicant) == (202, "edomex-2027-1", "A-001")

    anyio.run(run)


def test_a_support_is_judged_by_the_version_in_force_and_keeps_it(tmp_path: Path) -> None:
    """The worker runs on while versions change."""
    async def run() -> None:
        with service(tmp_path, clock=lambda: datetime(2026, 11, 20, tzinfo=UTC)) as under_test:
            places: list[str] = []
            apply(under_test.storage, tmp_path, EDOMEX.replace('applicants = ["A-001", "A-002"]', ""))
            sent = [*files(), ("support", ("", b'{"process": "edomex-2027"}'))]
            places.append((await under_test.send("key-1", files=sent)).headers["location"])
            worker = Worker(under_test.storage, judge(), WorkerSettings(count=1), "w")
            lax = EDOMEX.replace('["15"]', '["09", "15"]').replace('applicants = ["A-001", "A-002"]', "")
            for number, text in enumerate((lax, lax.replace("max_retakes = 2", "max_retakes = 3")), 2):
                apply(under_test.storage, tmp_path, text)
                await anyio.to_thread.run_sync(worker.run_once)  # came in while the version before was in force
                places.append((await under_test.send(f"key-{number}", files=sent)).headers["location"])
            for number, place in enumerate(places[:2], 2):
                told = (await under_test.client.get(place)).json()
                assert told["policy_version"] == told["rounds"][0]["policy_version"] == f"edomex-2027-{number}"

    anyio.run(run)


def test_after_the_process_s_retakes_the_worker_asks_a_person(tmp_path: Path) -> None:
    async def run() -> None:
        with service(tmp_path) as under_test:
            apply(under_test.storage, tmp_path, 'id = "x"\nmax_retakes = 1')
            unsigned = replace(judge(), examine=lambda *_: signed(SignatureKind.BLANK)(good_support()))
            worker = Worker(under_test.storage, unsigned, WorkerSettings(count=1), "w")
            place = (await under_test.send(files=[*files(), ("support", ("", b'{"process": "x"}'))])).headers["location"]
            await anyio.to_thread.run_sync(worker.run_once)
            assert (await under_test.client.get(place)).json()["wanted"] == ["signature"]
            await retake(under_test, place, "signature")
            await anyio.to_thread.run_sync(worker.run_once)
            told = (await under_test.client.get(place)).json()
            assert [one["verdict"] for one in told["rounds"]] == ["retake", "review"]
            assert [reason["code"] for reason in told["reasons"]] == ["support.retakes_spent"]

    anyio.run(run)


NOTICES = """
id = "with-notices"
required = ["consent"]
other_way = "Acude a la oficina con tu credencial."

[[notices]]
version = "2026-1"
text = "Aviso de privacidad, ñ."
until = 2026-06-30

[[notices]]
version = "2026-2"
text = "Otro aviso."
since = 2026-07-01
"""


def test_notices_are_kept_by_version_and_shown_with_their_digest(pair: StorageSettings, tmp_path: Path) -> None:
    async def run() -> None:
        with service(pair) as under_test:
            apply(under_test.storage, tmp_path, NOTICES)
            listed = (await under_test.client.get("/v1/processes/with-notices")).json()
            assert [(one["version"], one["since"], one["until"]) for one in listed["notices"]] == [
                ("2026-1", None, "2026-06-30"), ("2026-2", "2026-07-01", None)]
            assert all("text" not in one for one in listed["notices"])
            shown = (await under_test.client.get("/v1/processes/with-notices/notices/2026-1")).json()
            assert shown["text"] == "Aviso de privacidad, ñ."
            assert shown["sha256"] == hashlib.sha256(shown["text"].encode()).hexdigest() == listed["notices"][0]["sha256"]
            check_problem(await under_test.client.get("/v1/processes/with-notices/notices/2026-3"), 404, "notice_not_found")
            check_problem(await under_test.client.get("/v1/processes/none/notices/2026-1"), 404, "process_not_found")

    anyio.run(run)


@pytest.mark.parametrize(("wrong", "said"), [
    (NOTICES.replace("2026-2", "2026-1"), "twice"), (NOTICES[:NOTICES.index("[[")], "no `notices`"),
    (NOTICES.replace('text = "Otro aviso."', 'text = ""'), "notices.1.text")])
def test_a_notice_that_is_none_is_refused(wrong: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        read_process_file(written(tmp_path, wrong))
    assert said in caught.value.detail


@pytest.mark.parametrize(("kind", "told"), [(SignatureKind.BLANK, True), (SignatureKind.SIGNATURE, False)])
def test_who_cannot_sign_is_told_of_another_way(kind: SignatureKind, told: bool, tmp_path: Path) -> None:
    """In the citizen's own view, and only where it helps."""
    async def run() -> None:
        with service(tmp_path / "data") as under_test:
            apply(under_test.storage, tmp_path, NOTICES)
            answer = await under_test.send(files=[*files(), ("support", ("", b'{"process": "with-notices", "notice_version": "2026-2"}'))])
            made = replace(judge(), examine=lambda *_: signed(kind)(good_support()))
            await anyio.to_thread.run_sync(Worker(under_test.storage, made, WorkerSettings(), "w").run_once)
            seen = (await under_test.client.get(f"{answer.headers['location']}?view=citizen")).json()
            assert seen["verdict"] == ("retake" if told else "accepted")
            assert seen["other_way"] == ("Acude a la oficina con tu credencial." if told else None)
            assert "other_way" not in (await under_test.client.get(answer.headers["location"])).json()

    anyio.run(run)


def test_the_one_to_begin_from_asks_for_all_that_one_in_earnest_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the command says where another asks for less; `apoyo demo --guide` shows that a good support passes all of it."""
    file = Path(__file__).parents[2] / "k8s" / "policy" / "process.toml"
    process = read_process_file(file).process("1")
    assert process.required == DEMO_PROCESS.required | IN_EARNEST and {"device", "consent"} <= IN_EARNEST
    assert process.activation and process.notices and process.other_way and process.retention_days
    monkeypatch.setenv("APOYO_STORAGE__DATA_DIR", str(tmp_path))
    open_storage(StorageSettings(data_dir=tmp_path))
    for applied, told in ((file, ""), (written(tmp_path, EDOMEX), "consent, device, reuse_card, reuse_image, activation")):
        assert CliRunner().invoke(command, ["processes", "apply", str(applied)]).output.partition("does not ask for ")[2].partition(":")[0] == told
