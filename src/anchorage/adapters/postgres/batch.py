"""Sends prepared statements together, and reads their results in one round trip.

For the statements of every turn. The driver's own pipeline waits and allocates for each statement; a turn has a dozen, and that was a
fifth of its processor time. This uses the same connections through the driver's wrapper of libpq: a step is one write and one read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any
from weakref import WeakKeyDictionary

from psycopg import AsyncConnection, DataError, OperationalError, abc
from psycopg.abc import PQGen
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult
from psycopg.waiting import Ready, Wait

Row = tuple[Any, ...]
Value = bytes | None
"""A parameter in Postgres' text format, or a `Binary`."""
# Statements of a connection, each with its plan in the server's memory; further ones are planned each time.
_MAX_PREPARED = 400
_BINARY = 1
_NAME = re.compile(r"%\((\w+)\)s")
# The server and this process disagree: no such prepared statement, another of that name, or a plan that no longer fits.
_LOST = frozenset((b"26000", b"42P05", b"0A000"))


class Binary(bytes):
    """A parameter in Postgres' binary format."""


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with `$1`, `$2`, ... whose types the server infers; add a cast where it cannot."""

    text: bytes
    name: bytes = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", b"a" + blake2b(self.text, digest_size=10).hexdigest().encode())


Call = tuple[Statement, Sequence[Value]]
Parameter = str | int | float | bytes | Sequence[str] | None
"""Bytes are taken as they are: JSON, for example."""


# For the rest of the transaction, which a batch is, statements are planned once for a connection and not for their values, which would
# take longer than to run them. A LIMIT must be a number then, not a parameter: else a tenth of all rows is expected.
PLAN_ONCE: Call = (Statement(b"SELECT set_config('plan_cache_mode', 'force_generic_plan', true)"), ())


class Named:
    """A statement with parameters `%(name)s`, as the driver writes them. Call it with the values by name."""

    def __init__(self, template: str) -> None:
        self._names = list(dict.fromkeys(_NAME.findall(template)))
        places = {name: f"${number}" for number, name in enumerate(self._names, 1)}
        self._statement = Statement(_NAME.sub(lambda found: places[found[1]], template).encode())

    def __call__(self, values: Mapping[str, Any]) -> Call:
        return self._statement, [encode_parameter(values[name]) for name in self._names]


@dataclass(slots=True)
class _ConnectionState:
    """What this process knows about a connection."""

    transformer: abc.Transformer
    prepared: set[bytes] = field(default_factory=set)
    """Names of the prepared statements. Connections live for an hour, so statements for dropped tables do not pile up."""
    lost: bool = False
    """Whether the server has others: the driver drops all of them after a rollback, or when it drops a table."""


_connections: WeakKeyDictionary[AsyncConnection[Any], _ConnectionState] = WeakKeyDictionary()


def encode_text(value: str) -> bytes:
    """Encode a string as a parameter. Raises the driver's `DataError` for a NUL, where it would end, and for a lone surrogate."""
    if "\0" in value:
        raise DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise DataError("half a character is no text") from error


def array(values: Iterable[str]) -> bytes:
    """Encode strings as an array."""
    quoted = ('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values)
    return encode_text("{" + ",".join(quoted) + "}")


def numbers(values: Iterable[int | float]) -> bytes:
    """Encode numbers as an array."""
    return ("{" + ",".join(map(str, values)) + "}").encode()


def encode_parameter(value: Parameter) -> Value:
    """Encode a value in Postgres' text format."""
    if value is None or isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return encode_text(value)
    if isinstance(value, bool):
        return b"true" if value else b"false"
    return str(value).encode() if isinstance(value, int | float) else array(value)


async def run(connection: AsyncConnection[Any], calls: Sequence[Call]) -> list[list[Row]]:
    """Run the statements, and return the rows of each. Outside a transaction they form one; each sees what is committed when it begins.

    Raises the driver's error of the first statement that failed; those after it are not run. A cancellation closes the connection,
    whose state is unknown then.
    """
    if connection.closed:
        raise OperationalError("the connection is closed")
    if not calls:
        return []
    known = _connections.get(connection)
    if known is None:
        # Not made of the connection itself: the transformer would keep it alive.
        known = _connections[connection] = _ConnectionState(Transformer(connection.adapters))
    outside = connection.info.transaction_status == TransactionStatus.IDLE
    if known.lost and outside:
        await _forget_prepared(connection, known)
    results = await _exchange_locked(connection, calls, known)
    if results[0].error_field(DiagnosticField.SQLSTATE) in _LOST:
        known.lost = True
        if outside:  # none of it was run, so run it again
            if connection.info.transaction_status != TransactionStatus.IDLE:
                await connection.rollback()
            await _forget_prepared(connection, known)
            results = await _exchange_locked(connection, calls, known)
    transformer, found = known.transformer, []
    for result in results:
        if result.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
            raise error_from_result(result, encoding=connection.info.encoding)
        transformer.set_pgresult(result)
        found.append(transformer.load_rows(0, result.ntuples, tuple) if result.ntuples else [])
    transformer.set_pgresult(None)
    return found


async def _forget_prepared(connection: AsyncConnection[Any], known: _ConnectionState) -> None:
    await connection.execute("DEALLOCATE ALL")
    known.prepared.clear()
    known.lost = False


async def _exchange_locked(
    connection: AsyncConnection[Any], calls: Sequence[Call], known: _ConnectionState
) -> list[PGresult]:
    async with connection.lock:
        try:
            return await connection.wait(_exchange(connection.pgconn, calls, known.prepared))
        except BaseException:
            await connection.close()
            raise


def _exchange(pgconn: PGconn, calls: Sequence[Call], prepared: set[bytes]) -> PQGen[list[PGresult]]:
    """Sends the statements and reads their results; where one fails, the result is its failure alone."""
    pgconn.enter_pipeline_mode()
    sent: list[bytes] = []  # the names of those that are only prepared, and nothing for the others
    fresh: set[bytes] = set()
    for statement, values in calls:
        name = statement.name
        if name not in prepared and name not in fresh:
            if len(prepared) + len(fresh) >= _MAX_PREPARED:
                pgconn.send_query_params(statement.text, values, param_formats=_formats(values), result_format=_BINARY)
                sent.append(b"")
                continue
            pgconn.send_prepare(name, statement.text)
            sent.append(name)
            fresh.add(name)
        pgconn.send_query_prepared(name, values, _formats(values), result_format=_BINARY)
        sent.append(b"")
    pgconn.pipeline_sync()
    results = yield from _results(pgconn)
    pgconn.exit_pipeline_mode()
    found: list[PGresult] = []
    for name, result in zip(sent, results, strict=True):
        if result.status == ExecStatus.FATAL_ERROR:
            return [result]
        if name:
            prepared.add(name)
        else:
            found.append(result)
    return found


def _formats(values: Sequence[Value]) -> list[int] | None:
    """The format of each parameter; None where all are text."""
    formats = [_BINARY if type(value) is Binary else 0 for value in values]
    return formats if any(formats) else None


def _results(pgconn: PGconn) -> PQGen[list[PGresult]]:
    """All results up to the synchronisation."""
    found: list[PGresult] = []
    while True:
        flushed = pgconn.flush() == 0
        while not (ready := (yield Wait.R if flushed else Wait.RW)):
            continue  # waiting for a cancelled one begins with nothing
        if not ready & Ready.R:
            continue
        pgconn.consume_input()
        between = False
        while not pgconn.is_busy():
            result = pgconn.get_result()
            if result is None:  # between two statements; twice in a row: the connection is lost
                if between or pgconn.status != ConnStatus.OK:
                    raise OperationalError(pgconn.get_error_message().strip() or "the connection is lost")
                between = True
                continue
            between = False
            if result.status == ExecStatus.PIPELINE_SYNC:
                return found
            found.append(result)
