"""Adapters: what their configuration declares, and the tensors that they add to the modules of a base model.

Only the weights are the adapter's that have its usual name or hold parameters of its kind: a model may lie in the same
folder. How the keys are called and what the parameters are named is data, in the dialect.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..container.checkpoint import Checkpoint
from .adapterform import AdapterForm
from .dialect import Dialect
from .joined import TIMEOUT, compiled

MAX_PATTERN = 2000  # characters of an expression


@dataclass(frozen=True)
class Adapted:
    """One module of the base model that the adapter changes.

    `name` is what the base model calls it, `tensors` those of the adapter for it, as they are called in the file.
    """

    name: str
    tensors: tuple[str, ...]


@dataclass(frozen=True)
class Adapter:
    """The declaration of an adapter, beside the names of its tensors.

    `model_type` is that of a config.json of the base model in the same folder, empty where there is none.
    """

    file: str
    form: AdapterForm
    content: Mapping[str, Any]
    names: tuple[str, ...]
    model_type: str = ""
    _slow: set[str] = field(default_factory=set, compare=False, repr=False)

    def get(self, key: str) -> Any:
        """What stands under a key, by our word for it."""
        return self.content.get(self.form.keys.get(key, key))

    def key(self, word: str) -> str:
        """How the dialect spells a key."""
        return self.form.keys.get(word, word)

    @property
    def kind(self) -> str:
        """The kind of adapter as the configuration names it."""
        return str(self.get("kind"))

    @property
    def judged(self) -> bool:
        """Whether it is known how the parameters of this kind are called."""
        return self.kind in self.form.kinds

    @property
    def ranked(self) -> bool:
        """Whether its modules have the declared rank."""
        return self.kind in self.form.ranked

    @property
    def headed(self) -> bool:
        """Whether the base model has a head, so that its layers stand in an inner model."""
        purpose = self.get("purpose")
        return isinstance(purpose, str) and purpose in self.form.headed

    @property
    def prefix(self) -> str:
        """What every name begins with, with its dot."""
        return self.form.prefix + "."

    @cached_property
    def modules(self) -> tuple[Adapted, ...]:
        """Every module of which the file has a parameter of the adapter."""
        found: dict[str, list[str]] = {}
        for name in self.names:
            owner = self.owner(name)
            if owner:
                found.setdefault(owner, []).append(name)
        return tuple(Adapted(name, tuple(tensors)) for name, tensors in found.items())

    def owner(self, tensor: str) -> str:
        """The module of the base model that a parameter of the adapter belongs to, empty for any other tensor."""
        steps = tensor.split(".")
        at = self.mark(steps)
        if at < 1:
            return ""
        while at > 1 and steps[at - 1] in self.form.inner:  # an adapter around a wrapped module
            at -= 1
        return ".".join(steps[:at]).removeprefix(self.prefix)

    def mark(self, steps: list[str]) -> int:
        """Where in a name the adapter's own part begins; -1 for names without one."""
        marks = self.form.kinds.get(self.kind, ())
        return next((i for i in range(len(steps) - 1, -1, -1) if marks and steps[i].startswith(marks)), -1)

    def target_of(self, module: str) -> str | None:
        """The declared target that covers a module; None where none does, and empty where that cannot be told.

        An entry of a list is the end of a name at a dot, a text an expression for all of it
        (peft/tuners/tuners_utils.py, `check_target_module_exists`).
        """
        targets = self.get("targets")
        if isinstance(targets, str):
            if targets in self.form.every_target:
                return ""
            hit = self._matches(targets, module, whole=True)
            return "" if hit is None else targets if hit else None
        if not isinstance(targets, list) or not targets:
            return ""
        return next((t for t in self.targets if module == t or module.endswith("." + t)), None)

    @cached_property
    def targets(self) -> tuple[str, ...]:
        """The entries of a list of targets; empty where there is none."""
        found = self.get("targets")
        entries = found if isinstance(found, list) else ()
        return tuple(dict.fromkeys(e for e in entries if isinstance(e, str) and e))

    def setting(self, table: str, module: str) -> tuple[str, Any] | None:
        """The entry of a table of patterns that is about a module, None where none is.

        A pattern is an expression for the end of a name at a dot (peft/utils/other.py, `get_pattern_key`).
        """
        rows = self.get(table)
        return self.matching(rows, module) if isinstance(rows, dict) else None

    def matching(self, rows: Mapping[str, Any], module: str) -> tuple[str, Any] | None:
        """The first of some patterns that is about a module, with its value."""
        for pattern, value in rows.items():
            if self._matches(rf"(.*\.)?({pattern})$", module):
                return pattern, value
        return None

    def _matches(self, pattern: str, name: str, whole: bool = False) -> bool | None:
        """Whether an expression matches; None where it cannot be tried."""
        if len(pattern) > MAX_PATTERN or pattern in self._slow:
            return None
        expression, _ = compiled(pattern)
        if expression is None:
            return None
        try:
            find = expression.fullmatch if whole else expression.match
            return find(name, timeout=TIMEOUT) is not None
        except TimeoutError:
            self._slow.add(pattern)
            return None

    @cached_property
    def saved(self) -> tuple[str, ...]:
        """Modules that are declared to be saved whole, those that the library adds by itself left out."""
        found = self.get("saved")
        entries = found if isinstance(found, list) else ()
        heads = self.form.heads.get(str(self.get("purpose")), ())
        return tuple(dict.fromkeys(e for e in entries if isinstance(e, str) and e and e not in heads))

    @cached_property
    def heads(self) -> tuple[str, ...]:
        """The modules that the library adds by itself to those that are saved, of which a model has one."""
        found = self.get("saved")
        heads = self.form.heads.get(str(self.get("purpose")), ())
        return tuple(h for h in heads if isinstance(found, list) and h in found)

    def saves(self, entry: str, tensor: str) -> bool:
        """Whether a tensor is of a module that an entry means: one whose name ends so (`_set_trainable`)."""
        steps = tensor.removeprefix(self.prefix).split(".")[:-1]
        return any(".".join(steps[:n]).endswith(entry) for n in range(1, len(steps) + 1))

    def expected(self, tensor: str) -> bool:
        """Whether an adapter of this kind has such a tensor, by its name."""
        steps = tensor.split(".")
        form = self.form
        if self.mark(steps) >= 0 or steps[-1] in form.tokens or any(s in form.shared for s in steps):
            return True
        entries = self.get("saved")
        if isinstance(entries, list) and any(isinstance(e, str) and e and self.saves(e, tensor) for e in entries):
            return True
        if steps[-1] == _BIAS and self.get("biases") not in (None, "none"):
            return True
        return not form.ends.isdisjoint(steps)


_BIAS = "bias"


def read_adapter(checkpoint: Checkpoint, dialects: Iterable[Dialect]) -> Adapter | None:
    """The adapter that a checkpoint is by the configuration beside it; None for a model and for adapters of others."""
    for dialect in dialects:
        form = dialect.adapter
        content = checkpoint.config(dialect.places[0].file) if form is not None else {}
        if form is None or not isinstance(content.get(form.keys["kind"]), str):
            continue
        names = tuple(checkpoint.tensors)
        model_type = checkpoint.config("config.json").get("model_type")
        file = checkpoint.path(dialect.places[0].file)
        found = Adapter(file, form, content, names, model_type if isinstance(model_type, str) else "")
        if checkpoint.stem == form.weights or found.modules:
            return found
    return None
