"""Makes deploy/manifests/overlays from the chart and its examples, for those who install without Helm.

usage: manifests.py [--check]      with --check nothing is written, and what is out of step is named
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy/chart"
OVERLAYS = ROOT / "deploy/manifests/overlays"
KUBERNETES = "1.33.0"
PASSWORDS = {
    "anchorage-postgres": "password",
    "anchorage-redis": "password",
    "anchorage-roles": "token",
}  # Secrets and their keys
# Nothing can be looked up or generated without Helm; Jobs that ended must go, since they cannot be changed.
VALUES = [
    *(word for name in PASSWORDS for word in ("--set", f"{name.removeprefix('anchorage-')}.auth.existingSecret={name}")),
    "--set", "migrate.ttlSecondsAfterFinished=600",
]  # fmt: skip
NAMESPACE = """apiVersion: v1
kind: Namespace
metadata:
  name: anchorage
  labels:
    pod-security.kubernetes.io/enforce: restricted
"""


def objects(helm: str, example: Path) -> str:
    """The example's objects without what only Helm knows."""
    done = subprocess.run(
        [helm, "template", "anchorage", str(CHART), "-n", "anchorage", "--kube-version", KUBERNETES, "--skip-tests",
         "-f", str(example), *VALUES],
        capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        sys.exit(done.stderr)
    text = re.sub(r"^ *helm\.sh/(chart|resource-policy): .*\n", "", done.stdout, flags=re.M)
    text = re.sub(r"^ *annotations:\n(?=\S|  \S)", "", text, flags=re.M)  # those that held nothing else
    text = re.sub(r"^# Source: .*\n", "", text, flags=re.M)
    return text.replace("app.kubernetes.io/managed-by: Helm", "app.kubernetes.io/managed-by: kustomize").lstrip("-\n")


def kustomization(example: Path, text: str) -> str:
    """What `kubectl apply -k` reads first, and its reader too."""
    lines = [f"# Made from deploy/chart/examples/{example.name} by `make manifests`: change that, not this.", "#"]
    lines.append("#   kubectl apply -f namespace.yaml")
    lines += [
        f'#   kubectl -n anchorage create secret generic {name} --from-literal={key}="$(openssl rand -hex 24)"'
        for name, key in PASSWORDS.items()
        if re.search(rf"secretKeyRef:\n +name: {name}\n", text)
    ]
    for line in example.read_text("utf-8").splitlines():
        if found := re.match(r"#   kubectl create (secret .*)", line):
            lines.append(f"#   kubectl -n anchorage create {found.group(1)}")
    folder = f"deploy/manifests/overlays/{example.stem}"
    lines.append(f"#   kubectl apply -k {folder}")
    (image,) = set(re.findall(r"image: (\S*anchorage)(?=[:@])", text))
    (tag,) = set(re.findall(rf"image: {re.escape(image)}:(\S+)", text))
    lines += [
        "apiVersion: kustomize.config.k8s.io/v1beta1", "kind: Kustomization", "namespace: anchorage",
        "resources:", "  - namespace.yaml", "  - anchorage.yaml",
        "images:", f"  - name: {image}", f"    newTag: {tag}",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def main() -> int:
    found = subprocess.run(["sh", str(ROOT / "scripts/helm.sh")], capture_output=True, text=True)
    if found.returncode:
        sys.exit(found.stderr)
    wanted: dict[Path, str] = {}
    for example in sorted((CHART / "examples").glob("*.yaml")):
        text, folder = objects(found.stdout.strip(), example), OVERLAYS / example.stem
        wanted[folder / "anchorage.yaml"] = text
        wanted[folder / "namespace.yaml"] = NAMESPACE
        wanted[folder / "kustomization.yaml"] = kustomization(example, text)
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text]
    gone = [path for path in OVERLAYS.rglob("*.yaml") if path not in wanted]
    if "--check" in sys.argv[1:]:
        for path in stale + gone:
            print(f"{path.relative_to(ROOT)} is out of step with the chart: run `make manifests`", file=sys.stderr)
        return 1 if stale or gone else 0
    for path in gone:
        path.unlink()
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[path], "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
