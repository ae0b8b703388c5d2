"""When a process says that it is not ready, and what it does while it ends."""

import httpx
import pytest

from anchorage.faces.http.app import create_app
from anchorage.faces.http.saturation import Saturation
from anchorage.faces.http.state import ProcessState
from anchorage.settings.sections import HttpSettings
from anchorage.telemetry import STREAMS


@pytest.fixture
def streams() -> "object":
    before = STREAMS.collect()[0].samples[0].value  # type: ignore[index]
    yield STREAMS
    STREAMS.set(before)


def test_saturation_begins_above_the_limit_and_ends_a_fifth_below(streams: object) -> None:
    saturation, seen = Saturation(10), []
    for count in (10, 11, 9, 10, 8, 10, 11):
        STREAMS.set(count)
        seen.append(bool(saturation.check()))
    assert seen == [False, True, True, True, False, False, True]
    assert "11 streams, of at most 10 (ANCHORAGE_HTTP__MAX_STREAMS)" in saturation.check()
    assert not Saturation(None).check()


async def test_a_saturated_process_is_alive_and_not_ready(streams: object) -> None:
    state = ProcessState(saturation=Saturation(2), waiting_for=None)
    STREAMS.set(3)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(create_app(HttpSettings(), state)), base_url="http://localhost"
    ) as client:
        ready = await client.get("/readyz")
        assert ready.status_code == 503 and ready.text.startswith("saturated: 3 streams")
        assert (await client.get("/livez")).status_code == 200


@pytest.mark.parametrize(
    ("path", "root", "status"),
    [
        ("/agent/agent/livez", "/agent", 200), ("/agent/livez", "/agent", 200), ("/agent/agent/agent/livez", "/agent", 404),
        ("/agent/agentx/livez", "/agent", 404), ("/api/api/health", "/api", 200), ("/livez", "", 200),
    ],
)  # fmt: skip
async def test_the_root_path_may_be_stripped_or_not(path: str, root: str, status: int) -> None:
    app = create_app(HttpSettings(), ProcessState())
    transport = httpx.ASGITransport(app, root_path=root)  # as the server does it, the path has the root in front
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        found = (await client.get(path)).status_code
    assert found == (503 if path.endswith("health") else status)
