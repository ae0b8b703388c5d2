"""All errors that Anchorage raises on purpose.

    AnchorageError                  500  internal
    ├── BadRequest                  400  bad_request        the caller's input cannot be taken
    │   ├── TooLarge                413  too_large
    │   └── UnknownFormat           415  unsupported_format
    ├── NotAllowed                  403  not_allowed
    ├── NotFound                    404  not_found          collection, document, conversation, job
    ├── Conflict                    409  conflict
    │   ├── IndexMismatch           409  index_mismatch     no embedder in force fits the index
    │   ├── IndexMoved              409  index_moved        the collection answers from another index version now
    │   ├── Contended               409  conflict           somebody else changed the same data at the same moment
    │   └── Superseded              409  superseded         what was read is older than what is there
    ├── DocumentRefused             422  (own code)         a file that cannot be read: its reason is permanent
    ├── Blocked                     422  blocked            a guard did not let a question or an answer pass
    ├── BudgetExceeded              429  budget_exceeded    the principal's budget of the day or month is spent
    ├── ConfigurationError          500  configuration      a setting is missing or wrong
    ├── Unavailable                 503  unavailable        a service that we need does not answer
    │   ├── DatabaseUnavailable     503  database_unavailable
    │   └── ModelUnavailable        503  model_unavailable
    │       └── ModelBudgetSpent    503  model_budget_spent the budget of a model, or of all in a chain, is spent for today
    └── ModelError                  502  model_error        a model server answered, but not usefully

Every message says what happened to what, and what to do about it. Adapters translate their driver's errors at
their edge, with `raise ... from`.
"""

from __future__ import annotations

from typing import ClassVar


class AnchorageError(Exception):
    """Root of all. `code` is stable, for programs; `status` is the HTTP status; `temporary` says a retry may help."""

    code: str = "internal"
    status: ClassVar[int] = 500
    temporary: ClassVar[bool] = False

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BadRequest(AnchorageError):
    """The caller's input cannot be taken as it is."""

    code = "bad_request"
    status = 400


class TooLarge(BadRequest):
    """The input exceeds a limit; the message names the setting."""

    code = "too_large"
    status = 413


class UnknownFormat(BadRequest):
    """No parser takes this kind of file."""

    code = "unsupported_format"
    status = 415


class NotAllowed(AnchorageError):
    """The principal may not do this."""

    code = "not_allowed"
    status = 403


class NotFound(AnchorageError):
    """No such thing, or none that this principal may see."""

    code = "not_found"
    status = 404


class Conflict(AnchorageError):
    """The state of the system forbids it now."""

    code = "conflict"
    status = 409


class IndexMismatch(Conflict):
    """A collection's index was made with other settings than those in force."""

    code = "index_mismatch"


class IndexMoved(Conflict):
    """The collection was switched to another index version meanwhile: what was prepared for the old one is to be made anew."""

    code = "index_moved"
    temporary = True


class Contended(Conflict):
    """Somebody else changed the same data at the same moment; the same once more may well go through."""

    temporary = True


class Superseded(Conflict):
    """What was read is older than what is there by now: it must be read anew."""

    code = "superseded"


class DocumentRefused(AnchorageError):
    """A file that no retry will make readable; `code` says why: empty, encrypted, corrupt, too_complex, no_text ..."""

    status = 422

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Blocked(AnchorageError):
    """A guard did not let a question or an answer pass; `rule` names the check that found something."""

    code = "blocked"
    status = 422

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


class BudgetExceeded(AnchorageError):
    """The principal's budget of the day or month is spent; the message says when it begins anew."""

    code = "budget_exceeded"
    status = 429


class ConfigurationError(AnchorageError):
    """A setting is missing or wrong; the message names it."""

    code = "configuration"


class Unavailable(AnchorageError):
    """A service that this needs does not answer now; `retry_after` are the seconds that it asks to wait, where it does."""

    code = "unavailable"
    status = 503
    temporary = True

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class DatabaseUnavailable(Unavailable):
    """Postgres cannot be reached or dropped the connection."""

    code = "database_unavailable"


class ModelUnavailable(Unavailable):
    """A model server cannot be reached, timed out, or asked to slow down."""

    code = "model_unavailable"


class ModelBudgetSpent(ModelUnavailable):
    """A model's own budget of the day is spent; the message says when it begins anew."""

    code = "model_budget_spent"
    temporary = False


class ModelError(AnchorageError):
    """A model server answered, but with an error or with nonsense."""

    code = "model_error"
    status = 502
