"""What YAML files hold, as plain values: a scalar, mapping or sequence with its place in the file.

Nodes are tuples of texts and numbers so that a whole rulebook of them can be written to a file and read back at once.
"""

from __future__ import annotations

from typing import Any, Final

MAX_BYTES = 64 << 10  # of a file

# Tag, value, style (of scalars: `'`, `"`, `|`, `>` or none), and the line and column, from 0, of its begin and its end.
# The value of a scalar is its text, that of a sequence a tuple of nodes, that of a mapping one of pairs of nodes.
Node = tuple[str, Any, str, int, int, int, int]
TAG: Final = 0
VALUE: Final = 1
STYLE: Final = 2
LINE: Final = 3
COLUMN: Final = 4
END_LINE: Final = 5
END_COLUMN: Final = 6

# What YAML 1.1 reads a value as. Scalars may have further tags, such as `timestamp`.
STRING, INT, FLOAT, BOOL, NULL, MERGE = "str", "int", "float", "bool", "null", "merge"
MAPPING, SEQUENCE = "map", "seq"
