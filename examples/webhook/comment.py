# /// script
# requires-python = ">=3.10"
# dependencies = ["tensorlint"]
# ///
"""Check the pull request of a model that a webhook of the Hub tells of, and write the verdict as a comment below it.

Runs as a Job of the Hub, which gets the webhook's payload in WEBHOOK_PAYLOAD and a token in HF_TOKEN. Exit code 0:
there was nothing to do, or a comment with the verdict is written; else that of a check that could not be made.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from huggingface_hub import HfApi


def pull_requests(payload: dict) -> list[int]:
    """Numbers of the pull requests whose content an event may have changed; comments change none."""
    if payload["repo"]["type"] != "model" or payload["event"]["scope"].startswith("discussion.comment"):
        return []
    numbers = [
        int(ref["ref"].removeprefix("refs/pr/"))
        for ref in payload.get("updatedRefs") or []
        if ref["ref"].startswith("refs/pr/") and ref.get("newSha")
    ]
    discussion = payload.get("discussion") or {}
    if payload["event"]["action"] == "create" and discussion.get("isPullRequest"):
        numbers.append(discussion["num"])
    return sorted(set(numbers))


def check(target: str) -> tuple[int, str]:
    """The exit code of tensorlint, and its report, short enough for a comment, or what it says instead."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.md")
        command = [sys.executable, "-m", "tensorlint", "check", target, "--format", f"comment={report}"]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        text = report.read_text(encoding="utf-8") if report.is_file() else f"```\n{done.stderr.strip()}\n```"
    return done.returncode, text


def main() -> int:
    """Check and comment on every pull request that the payload names."""
    payload = json.loads(os.environ["WEBHOOK_PAYLOAD"])
    if not payload:
        return 0  # the first run of the Job, before there is an event
    repo = payload["repo"]["name"]
    worst = 0
    for number in pull_requests(payload):
        code, text = check(f"hf://{repo}@refs/pr/{number}")
        HfApi().comment_discussion(repo, number, text)
        worst = max(worst, code)
    return worst if worst > 1 else 0


if __name__ == "__main__":
    sys.exit(main())
