"""Write rules/architectures from the transformers that is installed.

usage: python -m architectures FOLDER [MODEL_TYPE...]      (with tools/ on PYTHONPATH)
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path

from .types import classes_of, config_classes, quiet


def main() -> int:
    """Write the files of all types, or of those named."""
    warnings.filterwarnings("ignore")
    quiet()
    import transformers

    from .generate import architecture
    from .write import text_of

    folder, only = Path(sys.argv[1]), set(sys.argv[2:])
    for config_class in config_classes():
        name = config_class.model_type
        if only and name not in only:
            continue
        begin = time.time()
        row = {"type": name}
        try:
            found = architecture(config_class, classes_of(config_class))
            (folder / f"{name}.yaml").write_text(text_of(found, transformers.__version__))
            row |= found.counts
        except Exception as error:
            row["error"] = f"{type(error).__name__}: {str(error)[:300]}"
        row["seconds"] = round(time.time() - begin, 1)
        print(json.dumps(row), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
