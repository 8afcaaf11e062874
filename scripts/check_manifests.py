"""Checks the manifests as a cluster would get them: `python -m scripts.check_manifests` (`make k8s-check`).

Each overlay is built by kustomize. Every document is held against its schema (Kubernetes' own, KubeRay's definitions with unknown
names refused) and against the rules below. A rule is waived by an annotation `apoyo/waive.RULE: reason` on the workload.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import yaml
from pydantic import ValidationError

from pipeline.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
OVERLAYS = ("dev", "cpu", "gpu", "green")
KUBERNETES = "1.32"
"""The oldest version that the manifests are for."""
KUBERAY = ROOT.parent / "shared" / "data" / "kuberay" / "ray.io_rayclusters.yaml"
"""KubeRay 1.7.0's definition; `main` takes another place as its argument."""
WITHOUT_SCHEMA = {"postgresql.cnpg.io/v1"}
"""Kinds whose definitions were not at hand: CloudNativePG's. They are checked by nobody."""
WAIVER = "apoyo/waive."
SECRET_NAME = re.compile(r"PASSWORD|SECRET|TOKEN|KEY|CREDENTIAL")
Document = dict[str, Any]


@dataclass(frozen=True)
class Pod:
    """A pod as a workload makes it. `containers`: with those that an operator adds by the workload's own options."""

    owner: str
    kind: str
    labels: dict[str, str]
    annotations: dict[str, str]
    spec: Document
    containers: list[Document] = field(default_factory=list)


def build(overlay: Path) -> list[Document]:
    """The documents of an overlay. Raises `CalledProcessError` with kustomize's own words."""
    built = subprocess.run(["kubectl", "kustomize", str(overlay)], capture_output=True, text=True, check=True)
    return [document for document in yaml.safe_load_all(built.stdout) if document]


def check(documents: list[Document], definition: Path | None) -> list[str]:
    """What is wrong, one line each. definition: KubeRay's; None: its kinds are held against the rules alone."""
    found = []
    for document in documents:
        found += [f"{name_of(document)}: schema: {error}" for error in schema_errors(document, definition)]
    if found:  # the rules take the schemas for granted
        return found
    for pod in (pod for document in documents for pod in pods(document)):
        for rule, judge in POD_RULES.items():
            waived = pod.annotations.get(WAIVER + rule, "").strip()
            found += [f"{pod.owner}: {rule}: {error}" for error in judge(pod) if not waived]
    whole = WHOLE_RULES if _of_kind(documents, "Namespace") else {}
    for rule, judge_all in {**SET_RULES, **whole}.items():
        found += [f"{rule}: {error}" for error in judge_all(documents)]
    return found


def name_of(document: Document) -> str:
    return f"{document.get('kind')}/{document.get('metadata', {}).get('name')}"


def schema_errors(document: Document, definition: Path | None) -> list[str]:
    """A name that the schema does not know is an error, as is a wrong type."""
    if document.get("apiVersion") in WITHOUT_SCHEMA:
        return []
    try:
        if str(document.get("apiVersion")).startswith("ray.io/"):
            return [] if definition is None else [
                f"{error.json_path}: {error.message}" for error in _ray_validator(definition).iter_errors(document)]
        kubernetes_validate.validate(document, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"{error.json_path}: {error.message}"]
    except (kubernetes_validate.SchemaNotFoundError, KeyError) as error:
        return [f"no schema for it ({type(error).__name__})"]
    return []


@cache
def _ray_validator(definition: Path) -> jsonschema.Draft202012Validator:
    versions = yaml.safe_load(definition.read_text(encoding="utf-8"))["spec"]["versions"]
    schema = next(version["schema"]["openAPIV3Schema"] for version in versions if version["name"] == "v1")
    return jsonschema.Draft202012Validator(_strict(schema))


def _strict(schema: Any) -> Any:
    """With unknown names refused, as an API server's strict validation does."""
    if isinstance(schema, list):
        return [_strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: _strict(value) for name, value in schema.items()}
    if made.get("type") == "object" and "properties" in made and not made.get("x-kubernetes-preserve-unknown-fields"):
        made.setdefault("additionalProperties", False)
    if made.pop("x-kubernetes-int-or-string", False):
        made["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    if made.get("properties") and {"apiVersion", "kind", "metadata"} <= set(made["properties"]):
        made["properties"]["metadata"] = {"type": "object"}
    return made


def pods(document: Document) -> Iterator[Pod]:
    """Every pod template of a document."""
    spec = document.get("spec", {})
    match document.get("kind"):
        case "Deployment" | "StatefulSet" | "DaemonSet" | "Job":
            yield _pod(document, spec["template"])
        case "CronJob":
            yield _pod(document, spec["jobTemplate"]["spec"]["template"])
        case "RayCluster":
            options = {"name": "autoscaler", "image": "", **spec.get("autoscalerOptions", {})}
            added = [options] if spec.get("enableInTreeAutoscaling") else []
            yield _pod(document, spec["headGroupSpec"]["template"], {"ray.io/node-type": "head"}, added)
            for group in spec.get("workerGroupSpecs", []):
                yield _pod(document, group["template"], {"ray.io/node-type": "worker"})


def _pod(document: Document, template: Document, labels: Mapping[str, str] = {}, added: Sequence[Document] = ()) -> Pod:
    meta = template.get("metadata", {})
    annotations = {**document["metadata"].get("annotations", {}), **meta.get("annotations", {})}
    spec = template["spec"]
    containers = [*spec.get("initContainers", []), *spec["containers"], *added]
    return Pod(name_of(document), document["kind"], {**meta.get("labels", {}), **labels}, annotations, spec, containers)


def _contexts(pod: Pod) -> Iterator[tuple[str, Document]]:
    """Each container's security context, with what it takes from its pod."""
    for container in pod.containers:
        yield container["name"], {**pod.spec.get("securityContext", {}), **container.get("securityContext", {})}


def not_root(pod: Pod) -> list[str]:
    return [f"{name} may run as root" for name, context in _contexts(pod)
            if context.get("runAsNonRoot") is not True or context.get("runAsUser") == 0]


def read_only(pod: Pod) -> list[str]:
    return [f"{name} may write to its root" for name, context in _contexts(pod)
            if context.get("readOnlyRootFilesystem") is not True]


def confined(pod: Pod) -> list[str]:
    return [f"{name} is not confined" for name, context in _contexts(pod)
            if context.get("allowPrivilegeEscalation") is not False or context.get("capabilities", {}).get("drop") != ["ALL"]
            or context.get("seccompProfile", {}).get("type") != "RuntimeDefault" or context.get("privileged")]


def alone(pod: Pod) -> list[str]:
    """Neither the host's namespaces and folders, nor an account's token."""
    shared = [name for name in ("hostNetwork", "hostPID", "hostIPC") if pod.spec.get(name)]
    shared += [f"the host's folder {volume['name']}" for volume in pod.spec.get("volumes", []) if "hostPath" in volume]
    return shared + ([] if pod.spec.get("automountServiceAccountToken") is False else ["mounts an account's token"])


def limits(pod: Pod) -> list[str]:
    return [f"{container['name']} has no {what} for {resource}" for container in pod.containers
            for what in ("requests", "limits") for resource in ("cpu", "memory")
            if resource not in container.get("resources", {}).get(what, {})]


def probes(pod: Pod) -> list[str]:
    """For what runs until it is told to end; a metrics exporter is seen to be down by whoever asks it."""
    if pod.kind in ("Job", "CronJob"):
        return []
    return [f"{container['name']} has no {probe}" for container in pod.containers for probe in ("livenessProbe", "readinessProbe")
            if probe not in container and container["name"] != "metrics"]


def pinned(pod: Pod) -> list[str]:
    """An image's last part names a version or a digest. Empty: the operator takes the one of its neighbour."""
    images = [container["image"] for container in pod.containers if container.get("image") != ""]
    return [f"image {image} names no version" for image in images
            if not re.search(r"@sha256:[0-9a-f]{64}$|:(?!latest$)[\w.-]+$", image.rpartition("/")[2])]


def files_only(pod: Pod) -> list[str]:
    """Secrets are mounted files: a variable is inherited by children and shows in dumps."""
    found = []
    for container in pod.containers:
        for variable in container.get("env", []):
            holds = SECRET_NAME.search(variable["name"]) and not variable["name"].endswith(("_FILE", "_PATH"))
            if holds or "secretKeyRef" in variable.get("valueFrom", {}):
                found.append(f"{container['name']}: {variable['name']} is a variable")
        found += [f"{container['name']} takes a whole Secret as variables" for source in container.get("envFrom", [])
                  if "secretRef" in source]
    return found


POD_RULES: dict[str, Callable[[Pod], list[str]]] = {
    "not-root": not_root, "read-only": read_only, "confined": confined, "alone": alone, "limits": limits, "probes": probes,
    "pinned": pinned, "files-only": files_only}


def settings_load(documents: list[Document]) -> list[str]:
    """The ConfigMap's variables are settings of this version, and hold no secret."""
    found = []
    for document in _of_kind(documents, "ConfigMap"):
        data: dict[str, str] = document.get("data", {})
        found += [f"{name_of(document)}: {name} is a secret" for name, value in data.items()
                  if (SECRET_NAME.search(name) and not name.endswith("_FILE")) or re.search(r"://[^/@]*:[^/@]*@", value)]
        sections: dict[str, dict[str, str]] = {}
        for name, value in data.items():
            section, _, key = name.removeprefix("APOYO_").lower().partition("__")
            sections.setdefault(section, {})[key] = value
        try:
            Settings.model_validate(sections)
        except ValidationError as error:
            found += [f"{name_of(document)}: {'.'.join(map(str, one['loc']))}: {one['msg']}"
                      for one in error.errors(include_input=False, include_url=False)]
    return found


def workers_fit(documents: list[Document]) -> list[str]:
    """The cluster at its largest has a core for every worker that the settings may ask for."""
    most = max((int(settings.get("data", {}).get("APOYO_WORKER__MAX_COUNT", 0))
                for settings in _of_kind(documents, "ConfigMap")), default=0)
    found = []
    for cluster in _of_kind(documents, "RayCluster"):
        cores = sum(group["maxReplicas"] * _cores(group["template"]["spec"]["containers"][0])
                    for group in cluster["spec"]["workerGroupSpecs"])
        if cores < most:
            found.append(f"{name_of(cluster)}: {most} workers are asked for, {cores} fit")
    return found


def _cores(container: Document) -> int:
    """Whole cores of its limit, as KubeRay tells Ray; 0 where it has none, which is another rule's to say."""
    return int(container.get("resources", {}).get("limits", {}).get("cpu", 0))


def token_asked(documents: list[Document]) -> list[str]:
    return [f"{name_of(cluster)} does not ask for a token" for cluster in _of_kind(documents, "RayCluster")
            if cluster["spec"].get("authOptions", {}).get("mode") != "token"]


def budgeted(documents: list[Document]) -> list[str]:
    """What runs until it is told to end has one disruption budget: a pod that two of them cover cannot be moved."""
    budgets = [budget["spec"] for budget in _of_kind(documents, "PodDisruptionBudget")]
    lasting = [pod for document in _of_kind(documents, "Deployment", "StatefulSet", "RayCluster") for pod in pods(document)
               if pod.labels.get("ray.io/node-type") != "head"]  # one pod alone: a budget would forbid every drain of its node
    found = []
    for pod in lasting:
        covering = [budget for budget in budgets if budget["selector"]["matchLabels"].items() <= pod.labels.items()]
        if len(covering) != 1:
            found.append(f"{pod.owner} has {len(covering)} budgets")
        elif pod.kind == "RayCluster" and not isinstance(covering[0].get("minAvailable"), int):
            found.append(f"{pod.owner} has no scale that Kubernetes could read: its budget must be a number in minAvailable")
    return found


def joined(documents: list[Document]) -> list[str]:
    """A supervisor beside the head is a driver of its Ray, which tells drivers by their process ids."""
    return [f"{pod.owner}: the head's containers do not share their processes" for document in _of_kind(documents, "RayCluster")
            for pod in pods(document) if pod.spec.get("shareProcessNamespace") is not True
            and any(container.get("command") == ["apoyo", "work"] for container in pod.containers)]


def fenced(documents: list[Document]) -> list[str]:
    """Nothing passes by default, and no policy lets a pod that opens pictures reach everywhere."""
    policies = [policy["spec"] for policy in _of_kind(documents, "NetworkPolicy")]
    denied = any(policy["podSelector"] == {} and set(policy["policyTypes"]) == {"Ingress", "Egress"}
                 and not policy.get("ingress") and not policy.get("egress") for policy in policies)
    found = [] if denied else ["no policy denies by default"]
    for pod in (pod for document in _of_kind(documents, "RayCluster") for pod in pods(document)):
        ways = [way for policy in policies for way in policy.get("egress", [])
                if policy["podSelector"].get("matchLabels", {}).items() <= pod.labels.items()]
        found += [f"{pod.owner} may reach everything" for way in ways if not way.get("to") or not way.get("ports") or any(
            place.get("ipBlock", {}).get("cidr") in ("0.0.0.0/0", "::/0") for place in way["to"])]
    return found


def _of_kind(documents: list[Document], *kinds: str) -> list[Document]:
    return [document for document in documents if document.get("kind") in kinds]


SET_RULES: dict[str, Callable[[list[Document]], list[str]]] = {
    "settings": settings_load, "workers-fit": workers_fit, "token": token_asked, "joined": joined}
WHOLE_RULES: dict[str, Callable[[list[Document]], list[str]]] = {"budget": budgeted, "fence": fenced}
"""For an installation, and not for a second cluster, which lives under the policies of the first."""


def main() -> int:
    definition = Path(sys.argv[1]) if len(sys.argv) > 1 else KUBERAY
    known = definition if definition.is_file() else None
    if known is None:
        print(f"{definition} is not there: the RayCluster is not held against its schema")
    failed = 0
    for overlay in OVERLAYS:
        documents = build(ROOT / "k8s" / "overlays" / overlay)
        found = check(documents, known)
        print("\n".join(f"{overlay}: {line}" for line in found) or f"{overlay}: {len(documents)} documents, nothing found")
        failed += len(found)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
