"""YAML -> Rule. What the vocabulary does not know is an error with place and suggestion, never silence."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from ..schemes.model import Scheme
from ..text.place import suggest
from ..text.yamltext import Item
from . import vocabulary as v
from .conditions import Conditions
from .context import Context
from .examples import read_examples
from .facts import OF_FILES, catalogue
from .message import Template
from .model import AWAITED, EACH, SEVERITIES, SUBJECTS, Examples, Rule, Scope, Severity
from .scope import read_scope

REQUIRED = ("summary", "severity", "message", "bad", "good")
_RESERVED = {"config", "declared", *v.TENSOR_WORDS, *v.TENSOR_FIELDS, *v.MODULE_FIELDS, *v.PART_FIELDS}


@dataclass(frozen=True)
class Frame:
    """Where a rule stands in a larger file: `extra` keys that the file reads itself, the `severity` and the texts that
    are `given` for keys that are left out, and whether `for` and `when` alone make a finding (`always`).
    """

    extra: tuple[str, ...] = ()
    given: Mapping[str, str] = field(default_factory=dict)
    always: bool = False
    severity: Severity | None = None

    @property
    def required(self) -> list[str]:
        """The keys that a rule here must have."""
        return [key for key in REQUIRED if key not in self.given and (key != "severity" or self.severity is None)]


def load_rule(
    top: Item,
    rule_id: str,
    settings: Mapping[str, float] | None = None,
    schemes: Mapping[str, Scheme] | None = None,
    frame: Frame = Frame(),
    examples: bool = True,
) -> Rule:
    """A rule from the top value of its file, or from its place in a larger file.

    `settings` overrides its params; `schemes` are those its `for` and its parts must be found in (unchecked when none
    are given). Raises RuleFileError, for mistakes in its examples too unless `examples` is False.
    """
    keys = top.mapping("the rule", (*v.TOP, *frame.extra), frame.required)
    each, fact = _unit(keys, top, frame.always)
    params = _params(keys, fact)
    for name in settings or {}:
        if name not in params:
            top.fail(f"rule {rule_id} has no param `{name}`", suggest(name, params))
    params.update(settings or {})
    context = Context(each, fact, params, schemes or {})
    scope = read_scope(keys["for"], context) if "for" in keys else Scope()
    conditions = Conditions(context)
    when = conditions.read(keys["when"], "`when`") if "when" in keys else ()
    require = conditions.read(keys["require"], "`require`") if "require" in keys else ()
    if frame.always:
        require = (lambda _: False,)
    for name in params:
        if name not in conditions.used:
            keys["params"].mapping("`params`")[name].fail_key(
                f"no condition uses the param `{name}`", f"write `${name}` in `when` or `require`, or remove it"
            )
    rule = Rule(
        id=rule_id,
        summary=_line(keys, "summary"),
        severity=_severity(keys, frame),
        message=_text(keys, "message", context, counts=True),
        each=each,
        path=top.text.path,
        scope=scope,
        fact=fact,
        when=when,
        require=require,
        effect=_text(keys, "effect", context, counts=False) or Template(frame.given.get("effect", "")),
        remedy=_text(keys, "remedy", context, counts=False),
        words={part: frozenset(words) for part, words in context.words.items()},
        points_at=context.points_at,
        params=dict(params),
        why=keys["why"].string("`why`").strip() if "why" in keys else "",
        unless=_unless(keys["unless"]) if "unless" in keys else {},
        see=keys["see"].strings("`see`") if "see" in keys else (),
        since=keys["since"].string("`since`") if "since" in keys else frame.given.get("since", ""),
        was=keys["was"].strings("`was`") if "was" in keys else (),
        about=keys["about"].word("what a rule is about", SUBJECTS) if "about" in keys else _about(each, fact),
        awaits=keys["awaits"].word("what can be awaited", AWAITED) if "awaits" in keys else "",
        examples=partial(_examples, keys["bad"], keys["good"]),
    )
    if examples:
        rule.examples()
    return rule


def _severity(keys: Mapping[str, Item], frame: Frame) -> Severity:
    if frame.severity is not None and "severity" not in keys:
        return frame.severity
    return keys["severity"].word("a severity", SEVERITIES)


def _examples(bad: Item, good: Item) -> tuple[Examples, Examples]:
    return read_examples(bad, "`bad`", need_says=True), read_examples(good, "`good`", need_says=False)


def _unit(keys: Mapping[str, Item], top: Item, always: bool) -> tuple[str, str]:
    """What the rule looks at, and the fact where that is one."""
    if "fact" in keys:
        fact = keys["fact"].word("a fact", catalogue())
        for key in ("each", "for", "require"):
            if key in keys:
                keys[key].fail_key(f"a rule about a fact has no `{key}`", "use `when` to narrow it")
        return "fact", fact
    each = keys["each"].word("something to look at", [e for e in EACH if e != "fact"]) if "each" in keys else "tensor"
    if "require" not in keys and not always:
        top.fail("the rule has neither `fact` nor `require`", "such as `require: {nan: 0}`")
    return each, ""


def _about(each: str, fact: str) -> str:
    """What a rule speaks of that does not say so itself."""
    return "files" if fact in OF_FILES else "tensors" if each == "tensor" else "model"


def _params(keys: Mapping[str, Item], fact: str) -> dict[str, float]:
    if "params" not in keys:
        return {}
    params: dict[str, float] = {}
    taken = _RESERVED | set(catalogue()[fact].fields if fact else ())
    for name, item in keys["params"].mapping("`params`").items():
        if not re.fullmatch(r"[a-z_][a-z0-9_]*", name):
            item.fail_key(f"`{name}` is not a name for a param", "small letters, digits and _")
        if name in taken:
            item.fail_key(f"`{name}` already means something else", "give the param another name")
        params[name] = item.number(f"param `{name}`")
    return params


def _unless(item: Item) -> dict[str, tuple[str, ...]]:
    return {near: rules.strings(f"`{near}`") for near, rules in item.mapping("`unless`", v.NEAR).items()}


def _line(keys: Mapping[str, Item], key: str) -> str:
    return " ".join(keys[key].string(f"`{key}`").split()) if key in keys else ""


def _text(keys: Mapping[str, Item], key: str, context: Context, counts: bool) -> Template:
    """A text whose {fields} are filled in when something is found."""
    text = Template(_line(keys, key))
    for name in text.fields:
        problem = context.message_problem(name, counts)
        if problem:
            keys[key].fail_at(name if name[0] in "{}" else "{" + name, *problem)
    return text
