"""The upload gate: huggingface_hub checks a checkpoint before it sends it.

    import tensorlint.gate
    tensorlint.gate.install()            # the whole process
    with tensorlint.gate.guard(): ...    # one block

An upload to a model repository is checked as the repository would be after it: new files in full, those that stay by
their headers. Errors raise UploadBlocked before anything is sent. `TENSORLINT_GATE=off` or `warn` and
`TENSORLINT_ACCEPT="rule: reason"` let it pass; that is printed and written into the commit description.

The gate keeps mistakes from leaving; it is no security boundary. What this package imports runs on the standard library
alone, also in environments where tensorlint is not installed.
"""

from __future__ import annotations

from .hub.arming import guard, install
from .hub.errors import GateError, UploadBlocked
from .hub.review import history

__all__ = ["GateError", "UploadBlocked", "guard", "history", "install"]
