"""Connection pools, and the translation of the driver's errors into ours."""

from __future__ import annotations

import select
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import psycopg
from psycopg import AsyncConnection, errors
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from anchorage.errors import AnchorageError, BadRequest, Contended, DatabaseUnavailable, Unavailable

Pool = AsyncConnectionPool[AsyncConnection[Any]]


@asynccontextmanager
async def open_pool(
    url: str, *, size: int, connect_timeout: float, statement_timeout: float, name: str
) -> AsyncIterator[Pool]:
    """A pool of autocommit connections. Dead ones are noticed when they are taken and replaced, so that a restart of
    Postgres costs no failed query. Does not fail when Postgres is away now.
    """
    pool: Pool = AsyncConnectionPool(
        url,
        min_size=1,
        max_size=size,
        open=False,
        timeout=connect_timeout,
        reconnect_timeout=connect_timeout,
        check=_check,
        name=name,
        kwargs={
            "autocommit": True,
            "application_name": name,
            "connect_timeout": max(2, int(connect_timeout)),
            "options": f"-c statement_timeout={int(statement_timeout * 1000)} -c timezone=UTC -c jit=off",
        },
    )
    async with pool:
        yield pool


async def _check(connection: AsyncConnection[Any]) -> None:
    """Raises when an idle connection is dead. Asking the server each time would cost a turn a dozen round trips.

    A server that goes away closes its sockets, and nothing else is to be read from an idle one: only then is it asked.
    """
    poll = select.poll()  # not select(): a process with a thousand streams has higher descriptors than that takes
    poll.register(connection.fileno(), select.POLLIN)
    if poll.poll(0):
        await AsyncConnectionPool.check_connection(connection)


async def ping(pool: Pool) -> None:
    """Raises the driver's error when Postgres does not answer; wrap it in `translate_errors`."""
    async with pool.connection() as connection:
        await connection.execute("SELECT 1")


@asynccontextmanager
async def connection_for(pool: Pool, what: str) -> AsyncIterator[AsyncConnection[Any]]:
    """A connection of the pool for `what`, whose errors are translated."""
    with translate_errors(what):
        async with pool.connection() as connection:
            yield connection


@contextmanager
def translate_errors(what: str) -> Iterator[None]:
    """Turn psycopg's errors into ours; `what` says what was being done. No message holds a connection string."""
    try:
        yield
    except (PoolTimeout, PoolClosed, TooManyRequests) as error:
        raise DatabaseUnavailable(
            f"Postgres gave no connection for {what}. Check that it runs and takes connections; `anchorage doctor` tells more."
        ) from error
    except errors.QueryCanceled as error:
        raise Unavailable(
            f"Postgres took too long for {what} and was stopped (ANCHORAGE_DATABASE__STATEMENT_TIMEOUT). Try again."
        ) from error
    except (
        errors.UniqueViolation,
        errors.ForeignKeyViolation,
        errors.SerializationFailure,
        errors.DeadlockDetected,
    ) as error:
        raise Contended(f"Somebody else changed the same data during {what}. Try again.") from error
    except errors.UndefinedTable as error:
        raise Contended(
            f"A table was missing during {what}: the collection was dropped meanwhile, or the database was not migrated. "
            "Try again after `anchorage migrate`."
        ) from error
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise DatabaseUnavailable(
            f"The connection to Postgres failed during {what}. Check that it runs; `anchorage doctor` tells more."
        ) from error
    except psycopg.DataError as error:
        raise BadRequest(
            f"The input for {what} holds what the database cannot take, such as a NUL character. Remove it and try again."
        ) from error
    except psycopg.Error as error:
        raise AnchorageError(
            f"Postgres refused {what}: {error.diag.message_primary or type(error).__name__}."
        ) from error
