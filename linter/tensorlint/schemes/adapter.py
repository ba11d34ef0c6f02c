"""Adapters: what their configuration declares, and the tensors that they add to the modules of a base model.

Only the weights are the adapter's that have its usual name or hold parameters of its kind: a model may lie in the same
folder. How the keys are called and what the parameters are named is data, in the dialect.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..container.checkpoint import Checkpoint
from .adapterform import AdapterForm
from .dialect import Dialect
from .endings import DEPTH, MOST, Expression, Patterns, all_endings, endings, patterns, texts


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

    @cached_property
    def targets(self) -> tuple[str, ...]:
        """The entries of a list of targets; empty where there is none."""
        return texts(self.get("targets"))

    @cached_property
    def _expression(self) -> Expression | None:
        targets = self.get("targets")
        whole = isinstance(targets, str) and targets not in self.form.every_target
        return Expression(targets) if whole else None

    def is_target(self, module: str) -> bool:
        """Whether the declared targets cover a module, or may.

        An entry of a list is the end of a name at a dot, a text an expression for all of it
        (peft/tuners/tuners_utils.py, `check_target_module_exists`).
        """
        if self._expression is not None:
            return self._expression.covers(module) is not False
        return not self.targets or not self._listed.isdisjoint(endings(module)) or len(self.targets) >= MOST

    @cached_property
    def _listed(self) -> frozenset[str]:
        return frozenset(self.targets)

    @cached_property
    def adapted(self) -> frozenset[str]:
        """The ends of the names of all modules that have parameters."""
        return all_endings(module.name for module in self.modules)

    @cached_property
    def ranks(self) -> Patterns:
        """Ranks of single modules."""
        return patterns(self.get("ranks"))

    @cached_property
    def strengths(self) -> Patterns:
        """Factors of single modules."""
        return patterns(self.get("strengths"))

    @cached_property
    def saved(self) -> tuple[str, ...]:
        """Modules that are declared to be saved whole, those that the library adds by itself left out."""
        return tuple(entry for entry in self._ends if entry not in self._added)

    @cached_property
    def heads(self) -> tuple[str, ...]:
        """The modules that the library adds by itself to those that are saved, of which a model has one."""
        return tuple(entry for entry in self._ends if entry in self._added)

    @property
    def _added(self) -> tuple[str, ...]:
        return self.form.heads.get(str(self.get("purpose")), ())

    @cached_property
    def _inside(self) -> frozenset[str]:
        """What any tensor of the file stands in, as the base model calls it."""
        found: set[str] = set()
        for name in self.names:
            steps = name.removeprefix(self.prefix).split(".")[:-1][:DEPTH]
            found.update(".".join(steps[:n]) for n in range(1, len(steps) + 1))
        return frozenset(found)

    def holds(self, entry: str) -> bool:
        """Whether a tensor is of a module that an entry means: one whose name ends so, at a dot or not.

        (peft/utils/other.py, `_set_trainable`.)
        """
        return any(name.endswith(entry) for name in self._inside)

    @cached_property
    def _ends(self) -> tuple[str, ...]:
        return texts(self.get("saved"))[:_SAVED]

    def expected(self, tensor: str) -> bool:
        """Whether an adapter of this kind has such a tensor, by its name."""
        steps = tensor.split(".")
        form = self.form
        if self.mark(steps) >= 0 or steps[-1] in form.tokens or any(s in form.shared for s in steps):
            return True
        owners = tensor.removeprefix(self.prefix).split(".")[:-1]
        if self._ends and any(".".join(owners[:n]).endswith(self._ends) for n in range(1, min(len(owners), DEPTH) + 1)):
            return True
        if steps[-1] == _BIAS and self.get("biases") not in (None, "none"):
            return True
        return not form.ends.isdisjoint(steps)


_BIAS = "bias"
_SAVED = 128  # modules that are saved whole, and looked for


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
