"""Where the shipped rule files are, and what they are called; reads none of them."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

ARCHITECTURES = "architectures"  # no part of the rulebook: hundreds of files, of which one is read for a checkpoint
_OTHER_KINDS = frozenset({"schemes", "dialects", "families", "producers", "engines", ARCHITECTURES})


def shipped_folder() -> Path:
    """The rule files: inside the package when installed, beside it in a checkout."""
    inside = Path(str(files("tensorlint"))) / "rules"
    return inside if inside.is_dir() else Path(__file__).resolve().parents[3] / "rules"


def rule_names() -> list[str]:
    """Names of the shipped rules that have a file of their own: all but the limits of engines."""
    folder = shipped_folder()
    names = (path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.yaml"))
    return sorted(name for name in names if name.partition("/")[0] not in _OTHER_KINDS)


def scheme_names() -> list[str]:
    """Names of the shipped schemes."""
    return sorted(path.stem for path in (shipped_folder() / "schemes").rglob("*.yaml"))


def engine_names() -> tuple[str, ...]:
    """Names of the shipped engine files."""
    return tuple(sorted(path.stem for path in (shipped_folder() / "engines").glob("*.yaml")))
