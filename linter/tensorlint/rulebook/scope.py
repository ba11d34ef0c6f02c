"""`for:`: which units a rule looks at. A scope that no unit can be in is an error."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from ..dtypes import DTYPE_BITS, ENCODINGS
from ..schemes.families import ROLES
from ..schemes.model import CONVENTIONS, KINDS, SIGNS, Scheme
from ..text.place import nearest, suggest
from ..text.yamltext import Item
from . import vocabulary as v
from .context import Context
from .model import Scope

# What each kind of unit can be told by.
KEYS_OF: Mapping[str, tuple[str, ...]] = {
    "tensor": tuple(v.SCOPE),
    "module": ("scheme", "role", "not_role", "module", "not_module", "quantized"),
    "checkpoint": (),
}
CLOSED: Mapping[str, Mapping[str, object]] = {
    "kind": dict.fromkeys(KINDS), "role": dict.fromkeys(ROLES), "not_role": dict.fromkeys(ROLES), "dtype": DTYPE_BITS,
    "holds": ENCODINGS, "not_holds": ENCODINGS, "sign": dict.fromkeys(SIGNS), "convention": dict.fromkeys(CONVENTIONS),
}  # fmt: skip
_GLOBS = ("tensor", "module", "not_module")
MAX_DIMS = 16


def read_scope(item: Item, context: Context) -> Scope:
    """The scope at `item`; sets `context.scope` on the way. Raises RuleFileError."""
    allowed = KEYS_OF[context.each]
    if not allowed:
        item.fail_key(f"a rule about each {context.each} has no `for`", "there is only one; narrow it with `when`")
    keys = item.mapping("`for`", v.SCOPE)
    for key, value in keys.items():
        if key not in allowed:
            value.fail_key(f"`{key}` does not go with `each: {context.each}`", "one of: " + ", ".join(allowed))

    def words(key: str) -> tuple[str, ...]:
        if key not in keys:
            return ()
        if key in CLOSED:
            return tuple(i.word(f"a {key.removeprefix('not_')}", CLOSED[key]) for i in keys[key].one_or_more())
        return keys[key].globs(f"`{key}`") if key in _GLOBS else keys[key].strings(f"`{key}`")

    schemes = tuple(_scheme(i, context.schemes) for i in keys["scheme"].one_or_more()) if "scheme" in keys else ()
    quantized = keys["quantized"].boolean("`quantized`") if "quantized" in keys else None
    context.scope = Scope(schemes=schemes, quantized=quantized)
    scope = Scope(
        schemes, tuple(context.part(i) for i in keys["part"].one_or_more()) if "part" in keys else (),
        words("kind"), words("role"), words("not_role"), words("dtype"), words("holds"), words("not_holds"),
        _labels(keys["granularity"], context.schemes) if "granularity" in keys else (), words("sign"),
        words("convention"), words("tensor"), words("module"), words("not_module"), quantized,
        tuple(i.whole("a number of dimensions", 0, MAX_DIMS) for i in keys["dims"].one_or_more())
        if "dims" in keys else (),
    )  # fmt: skip
    for key, other in (("role", "not_role"), ("holds", "not_holds"), ("module", "not_module")):
        both = set(words(key)) & set(words(other))
        if both:
            keys[other].fail(f"`{min(both)}` is both in `{key}` and in `{other}`", "leave it out of one of them")
    context.scope = scope
    if context.schemes and not _possible(scope, context):
        item.fail_key(
            "no part of any scheme fits this `for`: the rule would never look at anything",
            "`tensorlint explain SCHEME` lists parts with their kinds",
        )
    return scope


def _scheme(item: Item, schemes: Mapping[str, Scheme]) -> str:
    pattern = item.glob("a scheme")
    if schemes and not any(fnmatchcase(name, pattern) for name in schemes):
        near = nearest(pattern, schemes)
        hint = f"did you mean `{near}`?" if near else suggest(pattern, schemes)
        item.fail(f"no scheme matches `{pattern}`", hint)
    return pattern


def _labels(item: Item, schemes: Mapping[str, Scheme]) -> tuple[str, ...]:
    known = {label for s in schemes.values() for part in s.parts.values() for label in part.labels if label}
    if not known:
        return item.strings("`granularity`")
    return tuple(i.word("a granularity", known) for i in item.one_or_more())


def _possible(scope: Scope, context: Context) -> bool:
    """Whether some unit could be in scope, as far as the schemes tell (dtypes may be damaged, so they do not count)."""
    if context.each != "tensor":
        return bool(context.schemes_in_scope())
    narrow = Scope(
        scope.schemes, scope.parts, scope.kinds, labels=scope.labels, signs=scope.signs,
        conventions=scope.conventions, quantized=scope.quantized,
    )  # fmt: skip
    if narrow.covers(kind="other", sign="any"):
        return True  # a tensor outside any scheme
    return any(
        narrow.covers(
            scheme=scheme.name, part=part.name, kind=part.kind, label=label, sign=part.sign,
            convention=part.convention or "", quantized=scheme.quantized,
        )
        for scheme in context.schemes_in_scope()
        for part in scheme.parts.values()
        for label in (part.labels or ("",))
    )  # fmt: skip
