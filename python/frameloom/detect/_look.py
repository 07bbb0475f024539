"""What is known of a model once it has been run for the first time."""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ._found import Array, Found, Preparation, Wanted

# No model takes larger pictures.
LARGEST_SIZE = 1 << 13


class Family(Protocol):
    """What all models of one kind have in common: how pictures go in, and what comes out."""

    @property
    def title(self) -> str:
        """Its name for people."""

    @property
    def preparation(self) -> Preparation:
        """How its pictures are prepared."""

    @property
    def classes(self) -> int:
        """How many classes this model has; 0 where its outputs don't tell."""

    @property
    def labels(self) -> tuple[str, ...] | None:
        """Their names, where they are always the same ones."""

    def decode(self, outputs: Sequence[Array], item: int, wanted: Wanted) -> Found:
        """Return what was found on picture `item` of a batch."""


@dataclass(frozen=True)
class Look:
    """A model's inputs, its outputs on an empty picture, and what its file says about it."""

    inputs: Sequence[str]
    names: Sequence[str]
    outputs: Sequence[Array]
    size: tuple[int, int]
    """Width and height of the tensor."""
    metadata: Mapping[str, str]
    labels: tuple[str, ...] | None = None
    """What the user calls the classes."""

    @property
    def task(self) -> str:
        """Ultralytics' word for what it does."""
        return self.metadata.get("task", "detect")

    @property
    def known_labels(self) -> tuple[str, ...] | None:
        """The names of the classes that the file has."""
        return labels_of(self.metadata)

    def value(self, key: str) -> Any:
        """Return a value of the metadata, or `None` where it has none that can be read."""
        return _literal(self.metadata.get(key, ""))


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def size_of(metadata: Mapping[str, str]) -> tuple[int, int] | None:
    """Return width and height that a model was exported for, as Ultralytics writes them."""
    size = _literal(metadata.get("imgsz", ""))
    if not isinstance(size, list | tuple) or len(size) != 2:
        return None
    if not all(isinstance(side, int) and 0 < side <= LARGEST_SIZE for side in size):
        return None
    return size[1], size[0]


def labels_of(metadata: Mapping[str, str]) -> tuple[str, ...] | None:
    """Return the names of classes that Ultralytics writes: a dict of numbers, or a list."""
    names = _literal(metadata.get("names", ""))
    if isinstance(names, dict):
        try:
            names = [names[number] for number in range(len(names))]
        except KeyError:
            return None
    if not isinstance(names, list) or not names:
        return None
    return tuple(" ".join(str(name).split()) for name in names)
