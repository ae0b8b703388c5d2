"""Batches of prepared statements against a real Postgres."""

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from psycopg import AsyncConnection, DataError, OperationalError, errors
from psycopg.pq import ConnStatus, PipelineStatus, TransactionStatus
from psycopg.waiting import Ready

from anchorage.adapters.postgres import batch
from anchorage.adapters.postgres.batch import Named, Statement, array, numbers, run

ONE = Statement(b"SELECT $1::text")
BEGIN, COMMIT = (Statement(b"BEGIN"), ()), (Statement(b"COMMIT"), ())


@pytest.fixture
async def connection(empty_database: str) -> AsyncIterator[AsyncConnection[Any]]:
    async with await AsyncConnection.connect(empty_database, autocommit=True) as connection:
        yield connection


def at_rest(connection: AsyncConnection[Any]) -> bool:
    info = connection.info
    return info.pipeline_status == PipelineStatus.OFF and info.transaction_status == TransactionStatus.IDLE


async def test_each_statement_has_its_rows(connection: AsyncConnection[Any]) -> None:
    many = Statement(b"SELECT g, g::float8, 'x' || g, ARRAY[g] FROM generate_series(1, $1::int) g")
    assert await run(connection, [BEGIN, (many, [b"2"]), (ONE, [None]), (many, [b"0"]), COMMIT]) == [
        [], [(1, 1.0, "x1", [1]), (2, 2.0, "x2", [2])], [(None,)], [], [],
    ]  # fmt: skip
    assert at_rest(connection)


@pytest.mark.parametrize("value", ["", "NULL", 'a "quoted" \\ word', "{a,b}", "ü 漢字 🙂", "line\nbreak"])
async def test_values_come_back_as_they_were(connection: AsyncConnection[Any], value: str) -> None:
    call = Named("SELECT %(one)s::text, %(many)s::text[], %(flag)s::bool, %(n)s::int, %(none)s::int, %(one)s::text")
    values = {"one": value, "many": [value, "b"], "flag": True, "n": 7, "none": None}
    assert await run(connection, [call(values)]) == [[(value, [value, "b"], True, 7, None, value)]]
    assert await run(connection, [(Statement(b"SELECT $1::bigint[], $2::text[]"), (numbers([1, -2]), array([])))]) == [
        [([1, -2], [])]
    ]


def test_a_text_that_would_be_cut_is_refused() -> None:
    for make in (batch.encode_text, lambda value: array([value])):
        with pytest.raises(DataError, match="NUL"):
            make("a\0b")


async def test_a_failure_is_the_first_ones_and_nothing_after_it_is_run(connection: AsyncConnection[Any]) -> None:
    await connection.execute("CREATE TEMP TABLE seen (n int)")
    calls = [
        (Statement(b"INSERT INTO seen VALUES (1)"), ()), (Statement(b"SELECT 1 / $1::int"), [b"0"]),
        (Statement(b"SELECT nothing FROM nowhere"), ()), (Statement(b"INSERT INTO seen VALUES (2)"), ()),
    ]  # fmt: skip
    for _ in range(2):  # also when some of them are prepared already
        with pytest.raises(errors.DivisionByZero):
            await run(connection, calls)
    assert at_rest(connection)
    assert await run(connection, [(Statement(b"SELECT count(*) FROM seen"), ())]) == [[(0,)]]


async def test_a_failure_leaves_the_callers_transaction_to_be_rolled_back(connection: AsyncConnection[Any]) -> None:
    with pytest.raises(errors.UndefinedTable):
        await run(connection, [BEGIN, (Statement(b"SELECT 1 FROM nowhere"), ()), COMMIT])
    await connection.rollback()
    assert at_rest(connection) and await run(connection, [(ONE, [b"x"])]) == [[("x",)]]


async def test_statements_that_the_server_has_forgotten_are_prepared_again(connection: AsyncConnection[Any]) -> None:
    call = (ONE, [b"x"])
    for forget in ("DEALLOCATE ALL", "DISCARD ALL"):
        assert await run(connection, [call]) == [[("x",)]]
        await connection.execute(forget)
        assert await run(connection, [BEGIN, call, COMMIT]) == [[], [("x",)], []] and at_rest(connection)


async def prepared(connection: AsyncConnection[Any]) -> int:
    row = await (
        await connection.execute("SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'a%'")
    ).fetchone()
    return row[0] if row else 0


async def test_no_more_are_prepared_than_the_most(
    connection: AsyncConnection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "_MAX_PREPARED", 20)
    calls = [(Statement(b"SELECT %d" % number), ()) for number in range(50)]
    for _ in range(3):
        assert await run(connection, [*calls, (ONE, [b"x"])]) == [*([(number,)] for number in range(50)), [("x",)]]
        assert await prepared(connection) == 20
    with pytest.raises(errors.DivisionByZero):
        await run(connection, [(Statement(b"SELECT 1 / 0"), ()), *calls, (Statement(b"SELECT 'new'"), ())])
    assert await run(connection, calls) and await prepared(connection) == 20


async def test_what_was_lost_in_a_transaction_is_there_again_after_it(connection: AsyncConnection[Any]) -> None:
    await run(connection, [(ONE, [b"x"])])
    await run(connection, [BEGIN])
    await connection.execute("DEALLOCATE ALL")
    with pytest.raises(errors.InvalidSqlStatementName):
        await run(connection, [(ONE, [b"x"])])
    await connection.rollback()
    assert await run(connection, [BEGIN, (ONE, [b"x"]), COMMIT]) == [[], [("x",)], []]


async def test_a_statement_of_the_same_name_that_nobody_remembers(connection: AsyncConnection[Any]) -> None:
    await connection.execute(f"PREPARE {ONE.name.decode()} AS SELECT 'another'")
    assert await run(connection, [(ONE, [b"x"])]) == [[("x",)]]


async def test_a_plan_that_no_longer_fits_is_made_anew(connection: AsyncConnection[Any]) -> None:
    await connection.execute("CREATE TEMP TABLE t (n int)")
    await connection.execute("INSERT INTO t VALUES (1)")
    select = (Statement(b"SELECT n FROM t"), ())
    assert await run(connection, [select]) == [[(1,)]]
    async with connection.cursor() as cursor:
        await cursor.execute("ALTER TABLE t ALTER n TYPE text", prepare=False)
    assert await run(connection, [select]) == [[("1",)]]


async def test_two_who_use_a_connection_take_turns(connection: AsyncConnection[Any]) -> None:
    sleeps = Statement(b"SELECT pg_sleep(0.01), $1::text")
    found = await asyncio.gather(
        *(run(connection, [(sleeps, [b"%d" % n])]) for n in range(5)), connection.execute("SELECT 7")
    )
    assert [rows[0][0][1] for rows in found[:5]] == ["0", "1", "2", "3", "4"] and not connection.closed


class Senseless:
    """libpq, when it has lost its place in what the server says."""

    status = ConnStatus.BAD

    def flush(self) -> int:
        return 0

    def consume_input(self) -> None:
        pass

    def is_busy(self) -> bool:
        return False

    def get_result(self) -> None:
        return None

    def get_error_message(self) -> str:
        return "lost synchronization with server"


@pytest.mark.parametrize("status", [ConnStatus.BAD, ConnStatus.OK])
def test_a_connection_that_lost_its_place_is_given_up(status: ConnStatus) -> None:
    senseless = Senseless()
    senseless.status = status
    results = batch._results(cast(Any, senseless))
    next(results)
    with pytest.raises(OperationalError, match="lost synchronization"):
        results.send(Ready.R)


async def test_nothing_asked_is_nothing_answered(connection: AsyncConnection[Any]) -> None:
    assert await run(connection, []) == []


async def test_results_larger_than_a_buffer(connection: AsyncConnection[Any]) -> None:
    large = "x" * 3_000_000
    assert await run(connection, [(ONE, [large.encode()]), (ONE, [large.encode()])]) == [[(large,)], [(large,)]]


async def test_a_cancelled_batch_closes_its_connection(connection: AsyncConnection[Any]) -> None:
    running = asyncio.create_task(run(connection, [(Statement(b"SELECT pg_sleep(60)"), ())]))
    async with await AsyncConnection.connect(connection.info.dsn, autocommit=True) as other:
        async with asyncio.timeout(10):
            while not (
                await (await other.execute("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'")).fetchall()
            ):
                await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert connection.closed
        async with asyncio.timeout(10):  # the server was told, too
            while await (await other.execute("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'")).fetchall():
                await asyncio.sleep(0.01)
    with pytest.raises(OperationalError):
        await run(connection, [(ONE, [b"x"])])


async def test_a_connection_that_the_server_ends(connection: AsyncConnection[Any]) -> None:
    async with await AsyncConnection.connect(connection.info.dsn, autocommit=True) as other:
        await other.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
    with pytest.raises(OperationalError):
        await run(connection, [(ONE, [b"x"])])
    assert connection.closed


async def test_nothing_stays_of_a_connection_that_has_gone(empty_database: str) -> None:
    before = len(batch._connections)
    async with await AsyncConnection.connect(empty_database, autocommit=True) as connection:
        assert await run(connection, [(Statement(b"SELECT now()"), ())])
        assert len(batch._connections) == before + 1
    del connection
    gc.collect()
    assert len(batch._connections) <= before
