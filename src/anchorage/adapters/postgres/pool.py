"""Connection pools, and the translation of the driver's errors into ours."""

from __future__ import annotations

import select
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any

import psycopg
from psycopg import AsyncConnection, errors
from psycopg.pq import TransactionStatus
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from anchorage.errors import AnchorageError, BadRequest, Contended, DatabaseUnavailable, Unavailable

Pool = AsyncConnectionPool[AsyncConnection[Any]]


@asynccontextmanager
async def open_pool(
    url: str, *, size: int, connect_timeout: float, statement_timeout: float, name: str
) -> AsyncIterator[Pool]:
    """Open a pool of autocommit connections. A dead one is detected and replaced when it is taken, so that a restart of
    Postgres fails no query. Opening does not fail when Postgres is down.
    """
    pool: Pool = AsyncConnectionPool(
        url,
        min_size=1,
        max_size=size,
        open=False,
        timeout=connect_timeout,
        reconnect_timeout=connect_timeout,
        check=_check_connection,
        name=name,
        kwargs={
            "autocommit": True,
            "application_name": name,
            "client_encoding": "utf8",
            "connect_timeout": max(2, int(connect_timeout)),
            "options": f"-c statement_timeout={int(statement_timeout * 1000)} -c timezone=UTC -c jit=off",
        },
    )
    async with pool:
        yield pool


async def _check_connection(connection: AsyncConnection[Any]) -> None:
    """Raises when an idle connection is dead.

    Asking the server each time would cost a turn a dozen round trips. A server that ends closes its sockets, and an idle socket has
    nothing else to read: only a readable one is checked by a query.
    """
    poll = select.poll()  # not select(): a process with a thousand streams has higher descriptors than that takes
    poll.register(connection.fileno(), select.POLLIN)
    if poll.poll(0):
        await AsyncConnectionPool.check_connection(connection)


async def ping(pool: Pool) -> None:
    """Raises the driver's error when Postgres does not answer; wrap it in `translate_errors`."""
    async with pool.connection() as connection:
        await connection.execute("SELECT 1")


def connection_for(pool: Pool, what: str) -> AbstractAsyncContextManager[AsyncConnection[Any]]:
    """Borrow a connection of the pool for `what`, and translate its errors. A transaction that is open at the end is committed, or
    rolled back after an error.
    """
    return _LentConnection(pool, what)


class _LentConnection:
    """A borrowed connection. A class and not generators, whose layers cost as much as a statement; every turn borrows several."""

    __slots__ = ("_connection", "_pool", "_what")

    def __init__(self, pool: Pool, what: str) -> None:
        self._pool, self._what = pool, what

    async def __aenter__(self) -> AsyncConnection[Any]:
        try:
            self._connection = await self._pool.getconn()
        except Exception as error:
            _raise_translated_error(error, self._what)
            raise
        return self._connection

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        connection = self._connection
        try:
            try:
                if not connection.closed and connection.info.transaction_status != TransactionStatus.IDLE:
                    await (connection.commit() if error is None else _roll_back(connection))
            finally:
                await self._pool.putconn(connection)
        except Exception as failed:
            _raise_translated_error(failed, self._what)
            raise
        if isinstance(error, Exception):
            _raise_translated_error(error, self._what)


async def _roll_back(connection: AsyncConnection[Any]) -> None:
    """Roll back, or close the connection if that fails: the error before it matters, and the pool makes another connection."""
    try:
        await connection.rollback()
    except psycopg.Error:
        await connection.close()


@contextmanager
def translate_errors(what: str) -> Iterator[None]:
    """Translate psycopg's errors into ours; `what` says what was being done. No message holds a connection string."""
    try:
        yield
    except Exception as error:
        _raise_translated_error(error, what)
        raise


def _raise_translated_error(error: Exception, what: str) -> None:
    """Raises our error for one of psycopg's; returns for any other."""
    translated = _translate_error(error, what)
    if translated is not None:
        raise translated from error


def _translate_error(error: Exception, what: str) -> AnchorageError | None:
    if isinstance(error, PoolTimeout | PoolClosed | TooManyRequests):
        return DatabaseUnavailable(
            f"Postgres gave no connection for {what}. Check that it runs and takes connections; `anchorage doctor` tells more."
        )
    if isinstance(error, errors.QueryCanceled):
        return Unavailable(
            f"Postgres took too long for {what} and was stopped (ANCHORAGE_DATABASE__STATEMENT_TIMEOUT). Try again."
        )
    if isinstance(
        error,
        errors.UniqueViolation | errors.ForeignKeyViolation | errors.SerializationFailure | errors.DeadlockDetected,
    ):
        return Contended(f"Somebody else changed the same data during {what}. Try again.")
    if isinstance(error, errors.UndefinedTable):
        return Contended(
            f"A table was missing during {what}: the collection was dropped meanwhile, or the database was not migrated. "
            "Try again after `anchorage migrate`."
        )
    if isinstance(error, errors.ProgramLimitExceeded):  # an operational error, but of the input
        return BadRequest(f"The input for {what} is longer than the database can take. Shorten it and try again.")
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return DatabaseUnavailable(
            f"The connection to Postgres failed during {what}. Check that it runs; `anchorage doctor` tells more."
        )
    if isinstance(error, psycopg.DataError | UnicodeEncodeError):
        return BadRequest(
            f"The input for {what} holds what the database cannot take, such as a NUL character or half an emoji. Remove it and try "
            "again."
        )
    if isinstance(error, psycopg.Error):
        return AnchorageError(f"Postgres refused {what}: {error.diag.message_primary or type(error).__name__}.")
    return None
