"""Pods that come and go while they are asked: no request fails, no stream is lost."""

import time

from bench.kubernetes import CHART, Release, ask, before, until
from bench.load import Load, Tally

from .conftest import QUESTION

ENOUGH = 5000


def _check(tally: Tally, requests: int = 0) -> None:
    assert not tally.failures and not tally.lost, tally.figures()
    assert tally.requests >= requests and tally.disturbed and tally.streams, tally.figures()


def test_a_follow_up_lands_on_another_pod(three: Release) -> None:
    first, second, third = three.ready()
    with three.pod_client(first) as one:
        conversation = ask(one, QUESTION)["conversation_id"]
    with three.pod_client(second) as two:
        answer = ask(two, "And the lighthouse beside it?", conversation_id=conversation)
        assert answer["conversation_id"] == conversation
    with three.pod_client(third) as last:
        turns = last.get(f"/api/conversations/{conversation}").raise_for_status().json()["turns"]
    assert [turn["question"] for turn in turns] == [QUESTION, "And the lighthouse beside it?"]


def test_pods_are_deleted_under_load(three: Release) -> None:
    # Enough of them that some are younger than the time a pod serves on, and are cut.
    with Load(three.address(), QUESTION, streams=12) as load:
        load.until_requests(200)
        with load.disturbance():
            for pod in three.ready():
                three.delete_pod(pod)
        load.until_requests(ENOUGH)
    _check(load.tally, ENOUGH)
    assert load.tally.resumed, "no stream was cut: nothing was shown"


def test_a_pod_is_killed_in_the_middle_of_streams_which_go_on_elsewhere(three: Release) -> None:
    """Without warning, so requests that it was answering fail; a stream is resumed from what it had logged."""
    (pod, *_) = three.ready()
    with Load(three.address(), QUESTION, clients=0, streams=6) as load:
        until("streams", lambda: load.tally.streams >= 6, 120)
        with load.disturbance():
            three.kill_pod(pod)
            until("another pod", lambda: len(three.ready()) == 3, 180)
        load.until_requests(load.tally.requests + 6)
    assert not load.tally.lost, load.tally.figures()


def test_an_upgrade_from_the_release_before_under_load(three: Release) -> None:
    """E2E_PREVIOUS_IMAGE names the release before; without it new pods of the same image take over."""
    three.image, three.chart = before()
    three.install(api={"replicas": 3, "podAnnotations": {"upgrade": "before"}})
    three.image, three.chart = "", CHART
    with Load(three.address(), QUESTION) as load:
        load.until_requests(200)
        with load.disturbance():
            three.install(api={"podAnnotations": {"upgrade": str(time.time())}})
        load.until_requests(ENOUGH)
    _check(load.tally, ENOUGH)


def test_from_three_pods_to_eight_and_back(three: Release) -> None:
    with Load(three.address(), QUESTION, clients=2, streams=2) as load, load.disturbance():
        three.scale(8)
        until("eight pods", lambda: len(three.ready()) == 8, 300)
        load.until_requests(load.tally.requests + 100)
        three.scale(3)
        until("three pods", lambda: len(three.ready()) == 3 and len(three.all_pods()) == 3, 300)
        load.until_requests(load.tally.requests + 100)
    _check(load.tally)
