"""Dashboards and alerts name what exists, alerts fire by their fault and not without it, and labels are bounded."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

from pipeline import telemetry
from tests.contract.intake_makers import service

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "k8s" / "dashboards"
ALERTS = json.loads((FOLDER / "alerts.json").read_text())["groups"][0]["rules"]
DASHBOARD = json.loads((FOLDER / "apoyo.json").read_text())
SUFFIXES = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_sum", "_count"]}
METRICS = {metric._name: metric for metric in vars(telemetry).values() if isinstance(metric, MetricWrapperBase)}
LABELS = {"kind", "attempt", "code", "outcome", "result", "stage", "method", "route", "status", "step", "provider", "network", "cause"}
"""Each has the values of a table or an enumeration in the code: nothing that is sent, and no id."""


def exposed() -> dict[str, set[str]]:
    """Each sample's name in the exposition, with its labels."""
    found = {}
    for family in REGISTRY.collect():
        if family.name.startswith("apoyo_"):
            for suffix in SUFFIXES[family.type]:
                found[family.name + suffix] = {*METRICS[family.name]._labelnames, *(["le"] if suffix == "_bucket" else [])}
    return found


def expressions() -> Iterator[tuple[str, str]]:
    for alert in ALERTS:
        yield alert["alert"], alert["expr"]
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


@pytest.mark.parametrize(("where", "expression"), list(expressions()))
def test_a_named_metric_exists_with_its_labels(where: str, expression: str) -> None:
    known = exposed()
    named = re.findall(r"\b(apoyo_\w+)(?:\{([^}]*)\})?", expression)
    assert named
    for name, matchers in named:
        assert name in known, f"{where}: {name}"
        assert set(re.findall(r"(\w+)\s*[=!]~?", matchers)) <= known[name], f"{where}: {name}"
    for by in re.findall(r"by \(([^)]*)\)", expression):
        assert {label.strip() for label in by.split(",")} <= set().union(*(known[name] for name, _ in named)), where


def test_every_metric_is_shown() -> None:
    shown = " ".join(expression for _, expression in expressions())
    assert not [name for name in METRICS if name not in shown]


def test_the_age_of_the_oldest_support_is_the_first_alert() -> None:
    assert ALERTS[0]["alert"] == "ApoyoSupportsWait"
    assert ALERTS[0]["labels"]["severity"] == "page"
    assert DASHBOARD["panels"][0]["targets"][0]["expr"] == 'max(apoyo_oldest_job_seconds{kind="support"})'


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_says_why_and_has_its_runbook(alert: dict[str, Any]) -> None:
    assert len(alert["annotations"]["why"]) > 40
    page, _, anchor = alert["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^#+ (.*)$", (ROOT / page).read_text(), re.MULTILINE)
    assert anchor in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_labels_are_those_of_a_table() -> None:
    assert {label for metric in METRICS.values() for label in metric._labelnames} <= LABELS


def test_what_a_stranger_makes_up_is_no_label(tmp_path: Path) -> None:
    """Ids, paths and methods that are sent do not become series."""
    async def run() -> set[str]:
        with service(tmp_path) as under_test:
            for path in ("/v1/supports/0198c2f0-VELAZQUEZ", "/VELAZQUEZ", "/v1/supports/x/captures/VELAZQUEZ", "/livez"):
                for method in ("GET", "POST", "VELAZQUEZ"):
                    await under_test.client.request(method, path)
            return {"/openapi.json", *(await under_test.client.get("/openapi.json")).json()["paths"]}

    templates = anyio.run(run)
    seen = [sample.labels for family in REGISTRY.collect() if family.name == "apoyo_request_seconds" for sample in family.samples]
    assert {labels["route"] for labels in seen} <= templates | {"other"}
    assert {labels["method"] for labels in seen} <= {"GET", "HEAD", "POST", "PUT", "DELETE", "other"}
    assert {"other", "/livez", "/v1/supports/{support_id}"} <= {labels["route"] for labels in seen}


UP = 'apoyo_jobs_waiting{kind="support"}'
STEADY = {UP: "0x60", "apoyo_oldest_job_seconds{kind='support'}": "0x60"}
CLAIMS = "apoyo_claims_total{kind='support',attempt='1'}"
REQUESTS = "apoyo_request_seconds_count{method='POST',route='/v1/supports',status='202'}"
FAULTS: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    # alert: series of its fault, series a minute that must leave it silent
    "ApoyoSupportsWait": ({"apoyo_oldest_job_seconds{kind='support'}": "0+60x60"}, {"apoyo_oldest_job_seconds{kind='support'}": "90x60"}),
    "ApoyoDatabaseSilent": ({UP: " ".join(["NaN"] * 61)}, {UP: "3x60"}),
    "ApoyoIntakeFails": ({REQUESTS: "0+60x60", REQUESTS.replace("202", "503"): "0+2x60"},
                         {REQUESTS: "0+6000x60", REQUESTS.replace("202", "503"): "0+2x60"}),
    "ApoyoAttemptsFail": ({CLAIMS: "0+60x60", "apoyo_attempts_failed_total{code='unavailable'}": "0+6x60"},
                          {CLAIMS: "0+60x60", "apoyo_attempts_failed_total{code='unavailable'}": "0+1x60"}),
    "ApoyoSupportsGivenUp": ({CLAIMS.replace("'1'", "'4'"): "0x50 1x10"}, {CLAIMS.replace("'1'", "'3'"): "0x50 9x10"}),
    "ApoyoLeasesLost": ({CLAIMS: "0+60x60", "apoyo_leases_lost_total{kind='support'}": "0+3x60"},
                        {CLAIMS: "0+600x60", "apoyo_leases_lost_total{kind='support'}": "0+3x60"}),
    "ApoyoActorsDie": ({"apoyo_actors_ended_total": "0+1x60"}, {"apoyo_actors_ended_total": "0x55 1x10"}),
    "ApoyoVerificationSlow": ({"apoyo_verify_seconds_bucket{le='5.0'}": "0+50x60", "apoyo_verify_seconds_bucket{le='10.0'}": "0+60x60",
                               "apoyo_verify_seconds_bucket{le='+Inf'}": "0+60x60"},
                              {"apoyo_verify_seconds_bucket{le='5.0'}": "0+60x60", "apoyo_verify_seconds_bucket{le='+Inf'}": "0+60x60"}),
    "ApoyoOutcomesShift": ({"apoyo_verdicts_total{outcome='accepted'}": "0+100x60 6000+50x60",
                            "apoyo_verdicts_total{outcome='review'}": "0+10x60 600+60x60"},
                           {"apoyo_verdicts_total{outcome='accepted'}": "0+100x120", "apoyo_verdicts_total{outcome='review'}": "0+10x120"}),
    "ApoyoRefusalsRise": ({REQUESTS: "0+10x60", "apoyo_uploads_refused_total{code='file_heic'}": "0+5x60"},
                          {REQUESTS: "0+100x60", "apoyo_uploads_refused_total{code='file_heic'}": "0+5x60"}),
    "ApoyoDeliveriesWait": ({"apoyo_oldest_delivery_seconds": "0+120x60"}, {"apoyo_oldest_delivery_seconds": "3000x60"}),
    "ApoyoActivationsWait": ({"apoyo_oldest_job_seconds{kind='activation'}": "0+60x60"}, {"apoyo_oldest_job_seconds{kind='activation'}": "90x60"}),
    "ApoyoCodesWait": ({"apoyo_oldest_code_seconds": "0+60x60"}, {"apoyo_oldest_code_seconds": "70x60"}),
    "ApoyoProvidersSilent": ({"apoyo_provider_requests_total{provider='google',result='failed'}": "0+1x60"},
                             {"apoyo_provider_requests_total{provider='google',result='answered'}": "0+9x60"}),
    "ApoyoDeliveriesDead": ({"apoyo_delivery_attempts_total{result='dead'}": "0x50 1x10"},
                            {"apoyo_delivery_attempts_total{result='failed'}": "0+9x60"}),
}


def firing(alert: str, series: dict[str, str], minute: int, tmp_path: Path) -> bool:
    """Whether Prometheus' own rule tester has the alert firing at that minute of these series."""
    test = {"rule_files": [str(FOLDER / "alerts.json")], "evaluation_interval": "30s", "tests": [{
        "interval": "1m", "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [{"expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) > 0 or vector(0)',
                              "eval_time": f"{minute}m", "exp_samples": [{"labels": "{}", "value": 0}]}]}]}
    file = tmp_path / "test.json"
    file.write_text(json.dumps(test))
    done = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return False
    assert "got:" in done.stdout + done.stderr, done.stdout + done.stderr
    return True


@pytest.fixture
def promtool() -> None:
    if shutil.which("promtool") is None:
        pytest.skip("no promtool: it comes with Prometheus")


@pytest.mark.usefixtures("promtool")
def test_prometheus_takes_the_configuration(tmp_path: Path) -> None:
    """But for its search in Kubernetes, which Debian's build leaves out."""
    configuration = json.loads((FOLDER / "prometheus.json").read_text())
    for job in configuration["scrape_configs"]:
        assert job.pop("kubernetes_sd_configs")
    (tmp_path / "prometheus.json").write_text(json.dumps(configuration))
    (tmp_path / "alerts.json").write_bytes((FOLDER / "alerts.json").read_bytes())
    done = subprocess.run(["promtool", "check", "config", str(tmp_path / "prometheus.json")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(ALERTS)} rules found" in done.stdout


@pytest.mark.usefixtures("promtool")
@pytest.mark.parametrize("alert", [alert["alert"] for alert in ALERTS])
def test_an_alert_fires_by_its_fault_alone(alert: str, tmp_path: Path) -> None:
    fault, quiet = FAULTS[alert]
    minute = 90 if alert == "ApoyoOutcomesShift" else 58
    assert firing(alert, {**STEADY, **fault}, minute, tmp_path)
    assert not firing(alert, {**STEADY, **quiet}, minute, tmp_path)
