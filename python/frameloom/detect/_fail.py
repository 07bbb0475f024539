"""Errors of this package: the library's own classes, their line made of their parts."""

from importlib import import_module
from typing import Any, TypeVar

from .._errors import Error, InvalidData, NotFound

INSTALL = "pip install 'frameloom[detect]'"
_E = TypeVar("_E", bound=Error)


def failure(  # noqa: PLR0913 (an error has as many parts)
    kind: type[_E],
    stage: str,
    cause: str,
    *,
    url: str | None = None,
    option: str | None = None,
    hint: str | None = None,
) -> _E:
    """Make an error of one line: the stage, what it is about, the cause, what to do about it."""
    cause = " ".join(cause.split())
    about = url if url is not None else f"{option}=" if option is not None else None
    parts = [stage, *([about] if about is not None else []), cause]
    message = ": ".join(parts) + (f" ({hint})" if hint else "")
    return kind(message, stage=stage, url=url, option=option, cause=cause, hint=hint)


def unexpected(error: Exception) -> Error:
    """Return the error for what code fails with on some numbers of a model: one of this package."""
    if isinstance(error, Error):
        return error
    cause = f"the model could not be used on this picture: {type(error).__name__}: {error}"
    made = failure(InvalidData, "process", cause)
    made.__cause__ = error
    return made


def library(name: str, what_for: str) -> Any:
    """Import a library of the extra `detect`, when it is needed for the first time."""
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name.partition(".")[0]:
            raise
        cause = f"{what_for} needs the package {name}, which isn't installed"
        raise failure(NotFound, "options", cause, hint=INSTALL) from None
