"""Print `errors=N` and `warnings=N` of a JSON report of tensorlint, of one target or of several."""

import json
import sys
from pathlib import Path

report = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
findings = [f for target in report.get("targets", [report]) for f in target.get("findings", [])]
counted = [f for f in findings if not f.get("suppressed") and f.get("state") in (None, "", "new")]
for name in ("error", "warning"):
    print(f"{name}s={sum(f['severity'] == name for f in counted)}")
