"""What is public: names, what importing them costs, and the types that a user's mypy sees."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from mypy import api

import tensorlint
import tensorlint.gate
from tensorlint import errors
from tensorlint.report import findings

ROOT = Path(__file__).resolve().parents[1]
USES = Path(__file__).parent / "typed_uses.py"
HEAVY = ("torch", "huggingface_hub", "numpy", "yaml", "regex", "safetensors", "click", "rich")


def test_the_names() -> None:
    raised = {n for n, v in vars(errors).items() if isinstance(v, type) and issubclass(v, errors.TensorlintError)}
    others = {"Report", "Finding", "Location", "check", "check_state_dict", "__version__"}
    assert set(tensorlint.__all__) == raised | others
    assert set(tensorlint.gate.__all__) == {"install", "guard", "UploadBlocked", "GateError", "history"}
    for module in (tensorlint, tensorlint.gate):
        assert set(module.__all__) <= set(dir(module))
        assert all(getattr(module, name) is not None for name in module.__all__)
    assert (tensorlint.Report, tensorlint.Finding, tensorlint.Location) == (
        findings.Report, findings.Finding, findings.Location,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["report_", "Evidence", "load_book"])
def test_other_names_are_none(name: str) -> None:
    with pytest.raises(AttributeError, match=f"'tensorlint' has no attribute '{name}'"):
        getattr(tensorlint, name)


@pytest.mark.parametrize(
    ("code", "never"),
    [
        ("import tensorlint", ("tensorlint.report", "tensorlint.run", "pathlib", *HEAVY)),
        ("from tensorlint import check, TensorlintError", ("tensorlint.report", *HEAVY)),
        ("import tensorlint; tensorlint.Report", [name for name in HEAVY if name != "numpy"]),
        ("import tensorlint.gate", HEAVY),
    ],
)
def test_what_importing_loads(code: str, never: list[str]) -> None:
    # -S: what .pth files of this environment import is no business of ours
    script = f"import sys; sys.path[:] = {sys.path!r}\n{code}\nprint([m for m in {list(never)!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-S", "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_mypy_takes_right_uses_and_refuses_wrong_ones() -> None:
    options = ["--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(ROOT / ".mypy_cache")]
    said, trouble, _ = api.run([*options, "--no-error-summary", "--hide-error-context", str(USES)])
    assert not trouble
    rows = enumerate(USES.read_text().splitlines(), 1)
    wanted = {n: m[1].split() for n, row in rows if (m := re.search(r"  # E: (.+)$", row))}
    found = dict(re.findall(r"typed_uses\.py:(\d+): error: .*\[([\w-]+)\]$", said, re.MULTILINE))
    assert {int(n) for n in found} == set(wanted), said
    assert all(code in wanted[int(n)] for n, code in found.items()), said
    assert len(wanted) > 8
