"""Engines: what a serving engine does with checkpoints that are legal, as read from `rules/engines/*.yaml`.

An engine file states facts of one version of one engine as limits. A limit is written like a rule, with `does` in place
of a severity, and becomes the rule `engine/ENGINE/LIMIT`: it has the same conditions, examples and places of mistakes,
and runs only for the engines that a run asks for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from ..schemes.model import Scheme
from ..text.place import nearest, suggest
from ..text.yamltext import Item
from .language import Frame, load_rule
from .message import Template
from .model import Lookup, Rule, Scope

FOLDER = "engine"
# What an engine does with a checkpoint -> what follows from it, where the limit says nothing more exact.
DOES: Mapping[str, str] = {
    "refuses": "Loading fails with an error.",
    "ignores": "What the checkpoint says there has no effect, and no error is raised.",
    "misreads": "The engine computes with other values than were written, and no error is raised.",
    "assumes": "The engine puts a value of its own in the place of one that is missing.",
    "restricts": "The model is served, but not with every setting.",
}
_NOT_IN_LIMITS = {
    "params": ("a limit has no params", "write the number itself: it is a fact about the engine"),
    "unless": ("a limit names no causes", "narrow it with `for` and `when`"),
    "was": ("a limit has no earlier names", "leave it out"),
    "awaits": ("a limit blocks no upload", "leave it out"),
    "severity": ("a limit is no error: the checkpoint is legal", "leave it out for a warning, or write note"),
}
# The keys of an engine file; the JSON Schema is made of them too.
KEYS = ("summary", "engine", "version", "repository", "since", "serves", "limits", "see")
REQUIRED = ("summary", "engine", "version", "repository", "limits")


@dataclass(frozen=True)
class Engine:
    """One engine at one version.

    `title` is its name as people write it, `repository` where its sources are, `serves` the schemes that its loaders
    have code for, `refuses` those that they cannot use, whatever else holds; `limits` are the names of its rules.
    """

    name: str
    title: str
    version: str
    repository: str
    summary: str
    serves: tuple[str, ...]
    refuses: tuple[str, ...]
    limits: tuple[str, ...]

    @property
    def label(self) -> str:
        """Name and version, as messages begin."""
        return f"{self.title} {self.version}"

    def says(self, scheme: str) -> str:
        """Whether the engine serves a scheme: `yes`, `no`, or nothing where it is not known."""
        return "yes" if scheme in self.serves else "no" if scheme in self.refuses else ""


def load_engine(
    top: Item,
    name: str,
    schemes: Mapping[str, Scheme],
    examples: bool = True,
) -> tuple[Engine, dict[str, Rule]]:
    """An engine and its rules by id, from the top value of its file; raises RuleFileError like `load_rule`."""
    keys = top.mapping("the engine", KEYS, REQUIRED)
    title, version = keys["engine"].string("`engine`"), keys["version"].string("`version`")
    repository = keys["repository"].string("`repository`")
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        keys["repository"].fail(f"`{repository}` is not a repository", "write OWNER/NAME")
    serves = tuple(_named(keys["serves"], schemes)) if "serves" in keys else ()
    rules: dict[str, Rule] = {}
    refused: list[str] = []
    for limit, item in keys["limits"].mapping("`limits`").items():
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", limit):
            item.fail_key(f"`{limit}` is not a name for a limit", "small letters, digits and -")
        rule_id = f"{FOLDER}/{name}/{limit}"
        fields = item.mapping(f"the limit `{limit}`")
        for key in ("does", "see"):
            if key not in fields:
                item.fail_key(
                    f"the limit `{limit}` has no `{key}`", "a limit says what the engine does, and where it is written"
                )
        for key in _NOT_IN_LIMITS:
            if key in fields and (key != "severity" or fields[key].raw == "error"):
                fields[key].fail_key(*_NOT_IN_LIMITS[key])
        does = fields["does"].word("something that an engine does", DOES)
        since = keys["since"].string("`since`") if "since" in keys else ""
        given = {"effect": DOES[does], "since": since}
        always = "require" not in fields and "fact" not in fields
        frame = Frame(("does",), given, always, severity="warning")
        rule = load_rule(item, rule_id, None, schemes, frame, examples)
        see = tuple(s if "#" in s or " " in s else f"{repository} {s}" for s in rule.see)
        message = Template(f"{title} {version}: {rule.message.source}")
        rules[rule_id] = replace(rule, message=message, see=see, engine=name)
        if does != "restricts" and frame.always and not rule.when and rule.scope == Scope(rule.scope.schemes):
            refused += [s for s in schemes if any(fnmatchcase(s, glob) for glob in rule.scope.schemes)]
    clash = next((s for s in serves if s in refused), "")
    if clash:
        keys["serves"].fail_at(clash, f"`{clash}` is both served and refused", "leave it out of one of them")
    engine = Engine(
        name, title, version, repository, " ".join(keys["summary"].string("`summary`").split()), serves,
        tuple(dict.fromkeys(refused)), tuple(rules),
    )  # fmt: skip
    loud = [rule for rule in rules.values() if rule.severity != "note" and rule.each in ("module", "checkpoint")]
    return engine, {**rules, **_unknown(engine, loud, top.text.path)}


def _named(item: Item, schemes: Mapping[str, Scheme]) -> Iterator[str]:
    """The schemes that a list of names and globs stands for."""
    for one in item.one_or_more():
        pattern = one.glob("a scheme")
        found = [name for name in schemes if fnmatchcase(name, pattern)]
        if not found:
            near = nearest(pattern, schemes)
            one.fail(f"no scheme matches `{pattern}`", f"did you mean `{near}`?" if near else suggest(pattern, schemes))
        yield from found


def about(engine: Engine, scheme: str, rules: Mapping[str, Rule]) -> tuple[Rule, ...]:
    """The limits of an engine that name a scheme."""
    limits = (rules[limit] for limit in engine.limits)
    return tuple(r for r in limits if any(fnmatchcase(scheme, glob) for glob in r.scope.schemes))


def _unknown(engine: Engine, loud: list[Rule], path: str) -> dict[str, Rule]:
    """The rule that says of which schemes nothing is known, so that silence about them is not taken for consent.

    Of what one of the `loud` rules objects to, enough is known.
    """

    def known(lookup: Lookup) -> bool:
        scheme = lookup("scheme")
        return bool(engine.says(scheme)) or any(_objects(rule, scheme, lookup) for rule in loud)

    rule_id = f"{FOLDER}/{engine.name}/not-known"
    rule = Rule(
        id=rule_id,
        summary=f"It is not known here whether {engine.title} serves a scheme.",
        severity="note",
        message=Template(f"{engine.label}: it is not known here whether it serves {{scheme}}"),
        each="module",
        path=path,
        scope=Scope(quantized=True),
        require=(known,),
        effect=Template("Silence about these modules says nothing."),
        remedy=Template(f"Load the model in {engine.title} once, or add what you know to an engine file (--rules)."),
        since="0.1",
        engine=engine.name,
    )
    return {rule_id: rule}


def _objects(rule: Rule, scheme: str, lookup: Lookup) -> bool:
    """Whether a rule of the same engine objects to a module, as far as headers tell."""
    named = rule.scope.schemes
    return (
        (not named or any(fnmatchcase(scheme, glob) for glob in named))
        and all(test(lookup) for test in rule.when)
        and not all(test(lookup) for test in rule.require)
    )
