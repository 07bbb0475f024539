"""The errors: each is a `frameloom.Error`, and the builtin that fits where there is one."""

from typing import Any


class Error(Exception):
    """What went wrong, in one line: where, with what, why, and what to do about it.

    URLs in it are without credentials and stream keys.
    """

    stage: str
    """Where: "options", "input", "decode", "process", "convert", "encode" or "output"."""
    url: str | None
    """The URL, path or command it happened to, without secrets."""
    option: str | None
    """The argument or option it is about: "on_loss", 'options["ca_file"]'."""
    cause: str
    """Why."""
    hint: str | None
    """What to do about it, where that is known."""

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.stage = details.get("stage", "process")
        self.url = details.get("url")
        self.option = details.get("option")
        self.cause = details.get("cause", message)
        self.hint = details.get("hint")
        self._details = details

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors cross to other processes whole."""
        return _again, (type(self), str(self), self._details)

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


def _again(kind: type[Error], message: str, details: dict[str, Any]) -> Error:
    return kind(message, **details)


class _System(Error, OSError):
    """An error that is an `OSError` too, with its attributes."""

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message, **details)
        self.errno = details.get("errno")
        self.strerror = self.cause
        self.filename = self.url


class InvalidValue(Error, ValueError):
    """An argument that can't be, or a call at the wrong time."""


class NotFound(_System, FileNotFoundError):
    """The file or stream isn't there."""


class AlreadyExists(_System, FileExistsError):
    """The output is there already and may not be overwritten."""


class NotPermitted(_System, PermissionError):
    """The operating system doesn't allow it."""


class ConnectionFailed(_System, ConnectionError):
    """The other end refused, closed or could not be reached."""


class TimedOut(_System, TimeoutError):
    """It took longer than its limit."""


class InvalidData(Error, ValueError):
    """The bytes are not what they should be, or end too early."""


class StorageFull(_System):
    """No room left to write."""


class Interrupted(_System, InterruptedError):
    """A stop was asked for while it was under way."""
