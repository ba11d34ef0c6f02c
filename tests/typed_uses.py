"""How programs use the package, right and wrong. mypy reads it, see test_public.py: where a comment ends a line with `E:`
and a code, there must be an error of that code (codes differ between versions of mypy), and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from typing_extensions import assert_type

import tensorlint
import tensorlint.gate
from tensorlint import Finding, Location, Report, RuleFileError, TensorlintError, UsageError
from tensorlint.gate import UploadBlocked

report = tensorlint.check("model")
assert_type(report, Report)
assert_type(report, tensorlint.Report)
assert_type([f for f in report], list[Finding])  # noqa: C416
assert_type(len(report), int)
assert_type(report.findings[0].locations, tuple[Location, ...])
assert_type(report.findings[0].severity, Literal["error", "warning", "note"])
assert_type(report.depth, Literal["headers", "scales", "full"])
assert_type(report.fail_on, Literal["error", "warning", "note", "never"])
assert_type(Report.from_json(report.to_json()), Report)
assert_type(report.exit_code("never"), int)
assert_type(report.count("note"), int)
assert_type(tensorlint.__version__, str)

tensorlint.check(Path("model"), depth="headers", select=["scales"], rules=[Path("rules")], device="cpu")
tensorlint.check("model", depth=None, baseline=Path("old.json"), isolated=True)
tensorlint.check_state_dict({}, {"model_type": "llama"}, depth="scales")
tensorlint.gate.install()

try:
    tensorlint.check("model")
except RuleFileError as error:
    assert_type(error.advice, str)
except UsageError as error:
    assert_type(error.hint, str)
except TensorlintError as error:
    assert_type(error.exit_code, int)
except UploadBlocked as error:
    assert_type(error.message, str)

tensorlint.check("model", depth="bogus")  # E: arg-type
tensorlint.check("model", "full")  # E: misc call-arg
tensorlint.check("model", severity="error")  # E: call-arg
tensorlint.check(["model"])  # E: arg-type
tensorlint.check_state_dict({}, depth="everything")  # E: arg-type
tensorlint.check_state_dict({}, depth=None)  # E: arg-type
tensorlint.check_model("model")  # E: attr-defined
print(tensorlint.Evidence)  # E: attr-defined
report.exit_code("errors")  # E: arg-type
report.exit_code("off")  # E: arg-type
report.count("never")  # E: arg-type
report.findings = ()  # E: misc
assert report.fail_on != "off"  # E: comparison-overlap
Finding("my/rule", "fatal", "message")  # E: arg-type
