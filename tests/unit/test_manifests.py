"""The manifests: each overlay is without a finding, and each rule finds what it is for when one thing is broken."""

from __future__ import annotations

import copy
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts.check_manifests import KUBERAY, OVERLAYS, ROOT, build, check, pods

Documents = list[dict[str, Any]]
DEFINITION = Path(os.environ.get("KUBERAY_CRDS", str(KUBERAY)))


@pytest.fixture(scope="module")
def built() -> dict[str, Documents]:
    if shutil.which("kubectl") is None:
        pytest.skip("no kubectl: apt-get install kubernetes-client")
    version = subprocess.run(["kubectl", "version", "--client"], capture_output=True, text=True, check=True).stdout
    if not re.search(r"Kustomize Version: v[5-9]", version):
        pytest.skip("this kubectl's kustomize knows no components: 5 or later is needed")
    return {overlay: build(ROOT / "k8s" / "overlays" / overlay) for overlay in OVERLAYS}


@pytest.fixture
def cpu(built: dict[str, Documents]) -> Documents:
    return copy.deepcopy(built["cpu"])


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_is_without_a_finding(built: dict[str, Documents], overlay: str) -> None:
    assert check(built[overlay], DEFINITION if DEFINITION.is_file() else None) == []


def of(documents: Documents, kind: str, name: str = "") -> dict[str, Any]:
    return next(document for document in documents if document["kind"] == kind and name in document["metadata"]["name"])


def api(documents: Documents) -> dict[str, Any]:
    return of(documents, "Deployment", "apoyo-api")["spec"]["template"]["spec"]


def worker(documents: Documents) -> dict[str, Any]:
    return of(documents, "RayCluster")["spec"]["workerGroupSpecs"][0]["template"]["spec"]


def container(documents: Documents) -> dict[str, Any]:
    return api(documents)["containers"][0]


BROKEN: list[tuple[str, Callable[[Documents], object]]] = [
    ("not-root", lambda documents: api(documents)["securityContext"].update(runAsNonRoot=False)),
    ("not-root", lambda documents: container(documents)["securityContext"].update(runAsUser=0)),
    ("not-root", lambda documents: worker(documents)["securityContext"].pop("runAsNonRoot")),
    ("read-only", lambda documents: container(documents)["securityContext"].pop("readOnlyRootFilesystem")),
    ("read-only", lambda documents: of(documents, "RayCluster")["spec"]["autoscalerOptions"]["securityContext"].pop("readOnlyRootFilesystem")),
    ("confined", lambda documents: container(documents)["securityContext"].update(capabilities={"drop": ["NET_RAW"]})),
    ("confined", lambda documents: api(documents)["securityContext"].pop("seccompProfile")),
    ("confined", lambda documents: container(documents)["securityContext"].update(allowPrivilegeEscalation=True)),
    ("alone", lambda documents: api(documents).pop("automountServiceAccountToken")),
    ("alone", lambda documents: api(documents).update(hostNetwork=True)),
    ("alone", lambda documents: api(documents)["volumes"].append({"name": "host", "hostPath": {"path": "/"}})),
    ("limits", lambda documents: container(documents)["resources"]["limits"].pop("memory")),
    ("limits", lambda documents: worker(documents)["containers"][0]["resources"].pop("requests")),
    ("limits", lambda documents: worker(documents)["containers"][1].pop("resources")),
    ("probes", lambda documents: container(documents).pop("livenessProbe")),
    ("probes", lambda documents: of(documents, "RayCluster")["metadata"]["annotations"].update({"apoyo/waive.probes": " "})),
    ("pinned", lambda documents: container(documents).update(image="registry.example/apoyo:latest")),
    ("pinned", lambda documents: container(documents).update(image="registry.example:5000/apoyo")),
    ("files-only", lambda documents: container(documents).update(env=[{"name": "DATABASE_PASSWORD", "value": "x"}])),
    ("files-only", lambda documents: container(documents).update(
        env=[{"name": "WHAT", "valueFrom": {"secretKeyRef": {"name": "apoyo", "key": "kek"}}}])),
    ("files-only", lambda documents: container(documents)["envFrom"].append({"secretRef": {"name": "apoyo"}})),
    ("settings", lambda documents: of(documents, "ConfigMap")["data"].update(APOYO_API__POORT="1")),
    ("settings", lambda documents: of(documents, "ConfigMap")["data"].update(APOYO_WORKER__COUNT="none")),
    ("settings", lambda documents: of(documents, "ConfigMap")["data"].update(
        APOYO_STORAGE__DATABASE_URL="postgresql+psycopg://apoyo:secret@db/apoyo")),
    ("workers-fit", lambda documents: of(documents, "ConfigMap")["data"].update(APOYO_WORKER__MAX_COUNT="33")),
    ("token", lambda documents: of(documents, "RayCluster")["spec"].pop("authOptions")),
    ("budget", lambda documents: documents.remove(of(documents, "PodDisruptionBudget", "apoyo-api"))),
    ("budget", lambda documents: documents.append(copy.deepcopy(of(documents, "PodDisruptionBudget", "apoyo-workers")))),
    ("budget", lambda documents: of(documents, "PodDisruptionBudget", "apoyo-workers").update(
        spec={"maxUnavailable": 1, "selector": of(documents, "PodDisruptionBudget", "apoyo-workers")["spec"]["selector"]})),
    ("joined", lambda documents: of(documents, "RayCluster")["spec"]["headGroupSpec"]["template"]["spec"].pop("shareProcessNamespace")),
    ("fence", lambda documents: documents.remove(of(documents, "NetworkPolicy", "default-deny"))),
    ("fence", lambda documents: of(documents, "NetworkPolicy", "storage")["spec"].update(
        egress=[{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"port": 443}]}])),
    ("fence", lambda documents: of(documents, "NetworkPolicy", "ray")["spec"]["egress"][0].pop("ports")),
    ("schema", lambda documents: of(documents, "Deployment")["spec"].update(replicas="2")),
    ("schema", lambda documents: api(documents).update(terminationGracePeriod=3)),
    ("schema", lambda documents: documents.append({"apiVersion": "v9", "kind": "Thing", "metadata": {"name": "x"}})),
]


@pytest.mark.parametrize(("rule", "break_it"), BROKEN)
def test_a_rule_finds_what_it_is_for(cpu: Documents, rule: str, break_it: Callable[[Documents], object]) -> None:
    break_it(cpu)
    found = check(cpu, None)
    assert found, "nothing was found"
    assert all(f"{rule}: " in line for line in found), found


@pytest.mark.shared
@pytest.mark.skipif(not DEFINITION.is_file(), reason="KubeRay's definitions lie in ../shared/data/kuberay")
@pytest.mark.parametrize("break_it", [
    lambda spec: spec["workerGroupSpecs"][0].update(rayStartParms={}),
    lambda spec: spec["workerGroupSpecs"][0].update(maxReplicas="eight"),
    lambda spec: spec["authOptions"].update(mode="tokens"),
    lambda spec: spec["headGroupSpec"]["template"]["spec"]["containers"][0].update(imagePolicy="Always"),
])
def test_kuberays_own_schema_is_strict(cpu: Documents, break_it: Callable[[dict[str, Any]], object]) -> None:
    break_it(of(cpu, "RayCluster")["spec"])
    found = check(cpu, DEFINITION)
    assert found and all(line.startswith("RayCluster/apoyo-workers: schema: ") for line in found)


def test_every_program_is_the_same_version(built: dict[str, Documents]) -> None:
    """API, workers and deliverer share a database and, with Ray, a wire format."""
    for overlay in ("cpu", "gpu"):
        images = {container["image"] for document in built[overlay] for pod in pods(document) for container in pod.spec["containers"]}
        assert len(images) == 1, images
