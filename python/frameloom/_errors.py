"""The errors: each is a `frameloom.Error`, and the builtin that fits where there is one."""


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

    def __init__(
        self,
        message: str,
        stage: str = "process",
        url: str | None = None,
        cause: str | None = None,
        hint: str | None = None,
        option: str | None = None,
        errno: int | None = None,
    ) -> None:
        super().__init__(message)
        self.stage = stage
        self.url = url
        self.cause = message if cause is None else cause
        self.hint = hint
        self.option = option
        if isinstance(self, OSError):
            self.errno = errno
            self.strerror = self.cause
            self.filename = url
        self._errno = errno

    def __reduce__(self) -> tuple[type["Error"], tuple[object, ...]]:
        """Errors cross to other processes whole."""
        fields = (self.stage, self.url, self.cause, self.hint, self.option, self._errno)
        return type(self), (str(self), *fields)

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class InvalidValue(Error, ValueError):
    """An argument that can't be, or a call at the wrong time."""


class NotFound(Error, FileNotFoundError):
    """The file or stream isn't there."""


class AlreadyExists(Error, FileExistsError):
    """The output is there already and may not be overwritten."""


class NotPermitted(Error, PermissionError):
    """The operating system doesn't allow it."""


class ConnectionFailed(Error, ConnectionError):
    """The other end refused, closed or could not be reached."""


class TimedOut(Error, TimeoutError):
    """It took longer than its limit."""


class InvalidData(Error, ValueError):
    """The bytes are not what they should be, or end too early."""


class StorageFull(Error, OSError):
    """No room left to write."""


class Interrupted(Error, InterruptedError):
    """A stop was asked for while it was under way."""
