"""What is made from the chart is in step with it; compose; the scripts."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import EXAMPLES, ROOT, helm, parsed, render
from .test_schemas import VERSIONS, all_complaints

OVERLAYS = ROOT / "deploy/manifests/overlays"
DEPLOY = ROOT / "deploy/scripts/deploy.sh"


@pytest.mark.parametrize("script", ["chart_docs.py", "manifests.py"])
def test_what_is_generated_is_in_step(script: str) -> None:
    helm()
    done = subprocess.run(
        [sys.executable, str(ROOT / "deploy/scripts" / script), "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_example_has_an_overlay_that_kustomize_builds(name: str) -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("no kubectl, which carries kustomize")
    done = subprocess.run([kubectl, "kustomize", str(OVERLAYS / name)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    built = parsed(done.stdout)
    assert not [text for version in VERSIONS for text in all_complaints(built, version)]
    assert {item["metadata"].get("namespace") for item in built.objects if item["kind"] != "Namespace"} == {"anchorage"}
    assert "Helm" not in done.stdout and "helm.sh" not in done.stdout and not built.of("Secret") and not built.of("Pod")
    chart = {
        (item["kind"], item["metadata"]["name"])
        for item in render(name).objects
        if item["kind"] not in ("Secret", "Pod", "Job")
    }
    assert chart <= {(item["kind"], item["metadata"]["name"]) for item in built.objects}


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text("utf-8"))
    return found


def test_compose_runs_the_roles_as_the_cluster_does() -> None:
    services = compose()["services"]
    assert {name: item["command"] for name, item in services.items() if "command" in item} == {
        "migrate": ["migrate", "--wait", "120"], "api": ["serve"], "worker": ["worker", "--probes", "8000"],
    }  # fmt: skip
    for name in ("migrate", "api", "worker"):
        service = services[name]
        assert service["read_only"] and service["cap_drop"] == ["ALL"] and service["tmpfs"] == ["/tmp"], name
        assert service["security_opt"] == ["no-new-privileges:true"]
    assert services["api"]["ports"][0].startswith("${ANCHORAGE_BIND:-127.0.0.1}:"), "open to this machine only"
    assert services["postgres"]["image"].endswith("pgvector/pgvector:0.8.1-pg17}")
    grace = render().pod("api")["terminationGracePeriodSeconds"]
    assert services["api"]["stop_grace_period"] == f"{grace}s"


def test_compose_has_no_password_of_its_own() -> None:
    for service in compose()["services"].values():
        for name, value in service["environment"].items():
            assert "PASSWORD" not in name or value.startswith("${POSTGRES_PASSWORD:?")


def test_shellcheck_has_nothing_to_say() -> None:
    scripts = [str(path) for folder in ("scripts", "deploy/scripts") for path in sorted((ROOT / folder).glob("*.sh"))]
    checker = str(Path(sys.executable).parent / "shellcheck")
    done = subprocess.run([checker, *scripts], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def deploy(env: Path, *arguments: str, path: str = "", code: int = 0) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        ["sh", str(DEPLOY), "--from-env", str(env), *arguments], capture_output=True, text=True, timeout=60,
        env={"PATH": f"{path}{os.pathsep}{os.environ['PATH']}", "HOME": os.environ.get("HOME", "/")},
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done


ENV = """# settings of a team
OPENAI_API_KEY="sk-very secret"
export VECTOR_DB_URL=postgresql://u:hunter2@h/d
STATE_DB_URL='postgresql://u:hunter2@h/d'
AWS_ACCESS_KEY_ID=AKIA-hidden
LLM_MODEL=gpt-4o-mini
ANCHORAGE_WEB__USER_AGENT=say "hi" \\ $(touch owned): #1
ANCHORAGE_BLOBS__URL=s3://bucket/prefix
APP_PORT=9000
EMPTY=
"""
HIDDEN = ("very secret", "hunter2", "AKIA-hidden")


@pytest.fixture
def dotenv(tmp_path: Path) -> Path:
    path = tmp_path / ".env"
    path.write_text(ENV)
    return path


def test_a_dry_run_shows_everything_but_secrets_and_the_chart_takes_it(dotenv: Path, tmp_path: Path) -> None:
    done = deploy(dotenv, "--registry", "registry.example.com/team", "--tag", "1.2", "--build", "--push", "--dry-run")
    assert not [text for text in HIDDEN if text in done.stdout + done.stderr]
    assert "docker push registry.example.com/team/anchorage:1.2" in done.stderr
    assert "OPENAI_API_KEY=********" in done.stdout
    values = yaml.safe_load(done.stdout[done.stdout.index("config:") :])
    rendered = render(**values)
    config = rendered.one("ConfigMap", "anchorage")["data"]
    assert config == {"LLM_MODEL": "gpt-4o-mini", "ANCHORAGE_WEB__USER_AGENT": 'say "hi" \\ $(touch owned): #1'}
    assert rendered.pod("api")["containers"][0]["envFrom"][-1] == {"secretRef": {"name": "anchorage-env"}}
    assert rendered.env("api")["ANCHORAGE_BLOBS__URL"] == "s3://bucket/prefix"
    assert not rendered.of("StatefulSet") and not Path("owned").exists()


def test_other_secrets_restart_the_pods(dotenv: Path) -> None:
    def rotation() -> str:
        done = deploy(dotenv, "--tag", "1", "--dry-run")
        return str(yaml.safe_load(done.stdout[done.stdout.index("config:") :])["secrets"]["rotation"])

    before = rotation()
    assert rotation() == before
    dotenv.write_text(ENV.replace("very", "most"))
    assert rotation() != before


def test_whatever_the_chart_refuses_as_config_the_script_takes_for_a_secret(tmp_path: Path) -> None:
    names = [
        "OPENAI_API_KEY", "ANCHORAGE_LLM__API_KEY", "CONFLUENCE_PASSWORD", "ANCHORAGE_INGEST__PASSWORDS", "AWS_SESSION_TOKEN",
        "ANCHORAGE_S3__SECRET_KEY", "AWS_SECRET_ACCESS_KEY", "LINODE_OBJECT_STORAGE_SECRET_KEY", "REDIS_URL",
    ]  # fmt: skip
    env = tmp_path / ".env"
    env.write_text("".join(f"{name}=x\n" for name in names) + "SOME_PROXY=http://user:word@host\n")
    done = deploy(env, "--tag", "1", "--dry-run")
    assert "config: {}" in done.stdout and done.stdout.count("=********") == len(names) + 1


@pytest.mark.parametrize(
    ("text", "told"),
    [("VECTOR_DB_URL=postgresql://h/d\n", "STATE_DB_URL"), ("lower=1\n", "Line 1"), ("A=1\nNONSENSE\n", "Line 2")],
)
def test_mistakes_in_the_file_are_told(tmp_path: Path, text: str, told: str) -> None:
    env = tmp_path / ".env"
    env.write_text(text)
    assert told in deploy(env, "--tag", "1", "--dry-run", code=2).stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [((), "--tag"), (("--tag", "1", "--push"), "--registry"), (("--what",), "--what"), (("--tag",), "needs a value")],
)
def test_mistakes_in_the_arguments_are_told(dotenv: Path, arguments: tuple[str, ...], told: str) -> None:
    assert told in deploy(dotenv, *arguments, code=2).stderr


def test_secrets_reach_the_cluster_by_a_file_and_never_by_an_argument(dotenv: Path, tmp_path: Path) -> None:
    """With programs in place of kubectl and helm, that write down how they were called and what they were given."""
    tools = tmp_path / "tools"
    tools.mkdir()
    script = f"""#!/bin/sh
echo "$(basename "$0") $*" >> {tmp_path}/calls
for argument in "$@"; do case "$argument" in --from-env-file=*) cp "${{argument#--from-env-file=}}" {tmp_path}/given ;; esac; done
"""
    for name in ("kubectl", "helm"):
        (tools / name).write_text(script)
        (tools / name).chmod(stat.S_IRWXU)
    deploy(dotenv, "--tag", "1", path=str(tools))
    calls = (tmp_path / "calls").read_text()
    assert not [text for text in HIDDEN if text in calls]
    assert "helm upgrade --install anchorage" in calls and "helm -n anchorage test anchorage --logs" in calls
    assert (tmp_path / "given").read_text().splitlines() == [
        "OPENAI_API_KEY=sk-very secret",
        "VECTOR_DB_URL=postgresql://u:hunter2@h/d",
        "STATE_DB_URL=postgresql://u:hunter2@h/d",
        "AWS_ACCESS_KEY_ID=AKIA-hidden",
    ]
