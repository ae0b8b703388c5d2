"""batch: prepared statements that are sent together and answered in one round trip.

For what every turn does. The driver's own pipeline waits and allocates for each statement of it; a turn has a dozen, and they were a
fifth of its processor time. This speaks to the same connections through the driver's wrapper of libpq: a step is one write and one read.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any
from weakref import WeakKeyDictionary

from psycopg import AsyncConnection, DataError, OperationalError, abc, capabilities
from psycopg.abc import PQGen
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq import DiagnosticField, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult
from psycopg.waiting import Ready, Wait

Row = tuple[Any, ...]
Value = bytes | None
"""A parameter in Postgres' text format."""
_MOST_PREPARED = 100  # statements of a connection, each with its plan in the server's memory
_BINARY = 1
_NAME = re.compile(r"%\((\w+)\)s")
_LOST = b"26000"  # no such prepared statement


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


class Named:
    """A statement written with `%(name)s`, as the driver takes them, and called with the values by name."""

    def __init__(self, template: str) -> None:
        self._names = list(dict.fromkeys(_NAME.findall(template)))
        places = {name: f"${number}" for number, name in enumerate(self._names, 1)}
        self._statement = Statement(_NAME.sub(lambda found: places[found[1]], template).encode())

    def __call__(self, values: Mapping[str, Any]) -> Call:
        return self._statement, [parameter(values[name]) for name in self._names]


@dataclass(slots=True)
class _Known:
    """What is known of a connection."""

    transformer: abc.Transformer
    prepared: OrderedDict[bytes, None] = field(default_factory=OrderedDict)
    losses: int = 0
    """How often its prepared statements have gone: the driver drops all of them after a rollback, or when it drops a table."""


_connections: WeakKeyDictionary[AsyncConnection[Any], _Known] = WeakKeyDictionary()


def text(value: str) -> bytes:
    """A string as a parameter. Raises the driver's `DataError` for one with NUL, which would end there."""
    if "\0" in value:
        raise DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
    return value.encode()


def array(values: Iterable[str]) -> bytes:
    """Strings as an array."""
    quoted = ('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values)
    return text("{" + ",".join(quoted) + "}")


def numbers(values: Iterable[int | float]) -> bytes:
    """Numbers as an array."""
    return ("{" + ",".join(map(str, values)) + "}").encode()


def parameter(value: Parameter) -> Value:
    """A value in Postgres' text format."""
    if value is None or isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return text(value)
    if isinstance(value, bool):
        return b"true" if value else b"false"
    return str(value).encode() if isinstance(value, int | float) else array(value)


async def run(connection: AsyncConnection[Any], calls: Sequence[Call]) -> list[list[Row]]:
    """The rows of each statement. Outside a transaction they are one of their own; each sees what is committed when it begins.

    Raises the driver's errors: that of the first statement that failed, after which none was run. One that is cancelled closes the
    connection, which may be in the middle of anything.
    """
    if connection.closed:
        raise OperationalError("the connection is closed")
    known = _connections.get(connection)
    if known is None:
        # Not of the connection, which it would keep for good.
        known = _connections[connection] = _Known(Transformer(connection.adapters))
    begun = connection.info.transaction_status
    results = await _results_of(connection, calls, known)
    if results[0].error_field(DiagnosticField.SQLSTATE) == _LOST and begun == TransactionStatus.IDLE:
        known.prepared.clear()
        known.losses += 1
        if connection.info.transaction_status != TransactionStatus.IDLE:
            await connection.rollback()
        results = await _results_of(connection, calls, known)
    for result in results:
        if result.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
            raise error_from_result(result, encoding=connection.info.encoding)
    transformer, found = known.transformer, []
    for result in results:
        transformer.set_pgresult(result)
        found.append(transformer.load_rows(0, result.ntuples, tuple) if result.ntuples else [])
    transformer.set_pgresult(None)
    return found


async def _results_of(connection: AsyncConnection[Any], calls: Sequence[Call], known: _Known) -> list[PGresult]:
    try:
        return await connection.wait(_exchange(connection.pgconn, calls, known))
    except BaseException:
        await connection.close()
        raise


def _exchange(pgconn: PGconn, calls: Sequence[Call], known: _Known) -> PQGen[list[PGresult]]:
    """Sends the statements and reads their results; where one fails, the result is its failure alone."""
    pgconn.enter_pipeline_mode()
    prepared = known.prepared
    sent: list[tuple[bytes, bool]] = []  # by name, and whether it was only prepared
    for statement, values in calls:
        name = b"%b_%d" % (statement.name, known.losses)
        if name in prepared:
            prepared.move_to_end(name)
        elif (name, True) not in sent:
            if len(prepared) + len(sent) >= _MOST_PREPARED and prepared and capabilities.has_send_close_prepared():
                oldest, _ = prepared.popitem(last=False)  # at worst one of these calls: then it is prepared again
                pgconn.send_close_prepared(oldest)
                sent.append((b"", True))
            pgconn.send_prepare(name, statement.text)
            sent.append((name, True))
        pgconn.send_query_prepared(name, values, result_format=_BINARY)
        sent.append((name, False))
    pgconn.pipeline_sync()
    results = yield from _results(pgconn)
    pgconn.exit_pipeline_mode()
    found: list[PGresult] = []
    for (name, preparing), result in zip(sent, results, strict=True):
        if result.status == ExecStatus.FATAL_ERROR:
            return [result]
        if not preparing:
            found.append(result)
        elif name:
            prepared[name] = None
    return found


def _results(pgconn: PGconn) -> PQGen[list[PGresult]]:
    """All results up to the synchronisation."""
    found: list[PGresult] = []
    while True:
        flushed = pgconn.flush() == 0
        while not (ready := (yield Wait.R if flushed else Wait.RW)):
            continue  # who waits for a cancelled one begins with nothing
        if not ready & Ready.R:
            continue
        pgconn.consume_input()
        while not pgconn.is_busy():
            result = pgconn.get_result()
            if result is None:  # between two statements
                continue
            if result.status == ExecStatus.PIPELINE_SYNC:
                return found
            found.append(result)
