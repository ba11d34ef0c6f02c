"""What the tool calls itself in what it writes. The version stands here and nowhere else."""

from __future__ import annotations

VERSION = "0.1.0"
HOME = "https://github.com/tensorlint/tensorlint"
