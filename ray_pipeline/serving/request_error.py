"""Why a request is not answered: a status, a word a program can read, a sentence a person can, and where in the request it is."""

from __future__ import annotations

from typing import Final, Literal

Code = Literal[
    "invalid_json",
    "empty_input",
    "not_authorised",
    "forbidden",
    "not_found",
    "too_large",
    "invalid_request",
    "model_failed",
    "overloaded",
    "unavailable",
    "timed_out",
]
STATUS: Final[dict[Code, int]] = {
    "invalid_json": 400,
    "empty_input": 400,
    "not_authorised": 401,
    "forbidden": 403,
    "not_found": 404,
    "too_large": 413,
    "invalid_request": 422,
    "model_failed": 424,
    "overloaded": 429,
    "unavailable": 503,
    "timed_out": 504,
}


class RequestError(Exception):
    """Ends a request. Every route turns it into the error its clients know how to read."""

    def __init__(self, code: Code, message: str, where: str | None = None, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.code: Code = code
        self.message, self.where, self.retry_after = message, where, retry_after

    def __reduce__(self) -> tuple[type[RequestError], tuple[Code, str, str | None, int | None]]:
        """It may be raised in another process than the one that answers."""
        return RequestError, (self.code, self.message, self.where, self.retry_after)

    @property
    def status(self) -> int:
        return STATUS[self.code]

    def headers(self) -> dict[str, str]:
        """What HTTP wants beside the status."""
        found = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return {**found, "WWW-Authenticate": "Bearer"} if self.code == "not_authorised" else found
