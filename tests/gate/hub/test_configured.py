"""The gate and the git hook follow the configuration of the folder: what it ignores with a reason does not block."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import HfApi

from hubserver import Hub
from tensorlint.gate import UploadBlocked, guard

from .conftest import REPO
from .material import CONFIG, index, pack, shard
from .test_git_hook import Work

NAME = "model.safetensors"
IGNORE = '[[ignore]]\nrule = "weights/nan"\nreason = "tied to nothing"\n'


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / NAME).write_bytes(shard("model.w", bad=True).data)
    (folder / "config.json").write_bytes(CONFIG)
    return folder


def upload(api: HfApi, folder: Path) -> None:
    with guard():
        api.upload_folder(folder_path=str(folder), repo_id=REPO, allow_patterns=["*.safetensors", "*.json"])


def description(hub: Hub) -> str:
    commit = hub.log.matching("/commit/")[-1]
    return str(json.loads(commit.body.splitlines()[0])["value"]["description"])


@pytest.mark.parametrize("place", ["model", "."])
def test_what_is_ignored_is_uploaded_and_the_commit_says_why(
    hub: Hub, api: HfApi, model: Path, place: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (model.parent / place / "tensorlint.toml").write_text(IGNORE)
    upload(api, model)
    assert "tensorlint: accepted weights/nan: tied to nothing (" in description(hub)
    assert "tensorlint: weights/nan is accepted: tied to nothing" in capfd.readouterr().err


@pytest.mark.parametrize(
    "text",
    [
        IGNORE.replace("weights/nan", "weights/inf"),
        IGNORE + 'tensor = "other.*"\n',
        IGNORE + "until = 2024-01-01\n",
        'depth = "headers"\nselect = ["weights"]\n',  # the gate reads every byte
        'fail-on = "never"\n',
    ],
)
def test_what_is_not_ignored_still_blocks(hub: Hub, api: HfApi, model: Path, text: str) -> None:
    (model / "tensorlint.toml").write_text(text)
    with pytest.raises(UploadBlocked):
        upload(api, model)


def test_another_severity_does_not_block(hub: Hub, api: HfApi, model: Path) -> None:
    (model / "tensorlint.toml").write_text('[severity]\n"weights/nan" = "warning"\n')
    upload(api, model)


def test_a_configuration_that_cannot_be_followed_blocks_and_says_where(hub: Hub, api: HfApi, model: Path) -> None:
    (model / "tensorlint.toml").write_text('[[ignore]]\nrule = "weights/nam"\nreason = "x"\n')
    with pytest.raises(UploadBlocked, match="no rule matches `weights/nam`") as caught:
        upload(api, model)
    assert "tensorlint.toml:2:8" in str(caught.value)
    assert "did you mean `weights/nan`?" in str(caught.value)


def test_folders_of_an_upload_follow_what_is_said_of_them(
    hub: Hub, api: HfApi, model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("draft", "other"):
        (model / name).mkdir()
        (model / name / NAME).write_bytes(shard("model.w", bad=True).data)
        (model / name / "config.json").write_bytes(CONFIG)
    (model / NAME).write_bytes(shard("model.w").data)
    said = '[[target]]\npath = "{}"\n' + IGNORE.replace("[[", "[[target.")
    (model / "tensorlint.toml").write_text(said.format("draft"))
    with pytest.raises(UploadBlocked, match="1 error "):
        upload(api, model)
    told = capfd.readouterr().err
    assert "other/model.safetensors" in told
    assert "tensorlint: weights/nan is accepted: tied to nothing" in told
    (model / "tensorlint.toml").write_text(said.format("draft") + said.format("other"))
    upload(api, model)
    assert "tensorlint: accepted weights/nan: tied to nothing (" in description(hub)


PART = """\
summary: Mine.
severity: error
fact: missing-part
message: "{{module}} has no {{part}}"
bad: [{{model.safetensors: {{a.qweight: "I32[8, 32]", a.scales: "F16[1, 32] = 0.01"}}, says: has no}}]
good: [{{model.safetensors: {{a.weight: "F32[4, 4]"}}}}]
{}
"""


@pytest.mark.parametrize(("about", "whole", "blocked"), [
    ("", False, False), ("about: model", False, False), ("about: tensors", False, True), ("", True, True),
])  # fmt: skip
def test_a_rule_about_the_model_waits_for_all_shards(
    hub: Hub, api: HfApi, tmp_path: Path, about: str, whole: bool, blocked: bool
) -> None:
    """Of GPTQ's parts the scales are missing; a shard that is still to come may bring them."""
    folder, rules = tmp_path / "model", tmp_path / "rules"
    folder.mkdir()
    rules.mkdir()
    (rules / "mine.yaml").write_text(PART.format(about))
    (folder / "tensorlint.toml").write_text('rules = ["../rules"]\nselect = ["mine", "index"]\n')
    tensors = {"a.qweight": ("I32", [8, 32], bytes(1024)), "a.qzeros": ("I32", [1, 4], bytes(16))}
    first = "model-00001-of-00002.safetensors"
    (folder / (NAME if whole else first)).write_bytes(pack(tensors))
    if not whole:
        listed = {"model__00001__of__00002": tuple(tensors), "model__00002__of__00002": ("b.weight",)}
        (folder / "model.safetensors.index.json").write_bytes(index(**listed))
    if not blocked:
        upload(api, folder)
        return
    with pytest.raises(UploadBlocked, match="mine"):
        upload(api, folder)


@pytest.fixture
def work(tmp_path: Path) -> Work:
    made = Work(tmp_path)
    assert made.tensorlint("install").returncode == 0
    made.commit(f"a/{NAME}", shard("model.w", bad=True).data)
    made.commit("a/config.json", CONFIG)
    return made


def test_a_push_follows_the_configuration_of_the_work_tree(work: Work) -> None:
    assert work.push().returncode != 0
    (work.place / "tensorlint.toml").write_text(IGNORE)
    done = work.push()
    assert (done.returncode, work.pushed()) == (0, True)
    assert "1 suppressed" in done.stderr
    assert "settings from tensorlint.toml" in " ".join(done.stderr.split())


def test_a_push_follows_what_is_said_of_one_folder(work: Work) -> None:
    (work.place / "tensorlint.toml").write_text('[[target]]\npath = "a"\n' + IGNORE.replace("[[", "[[target."))
    assert work.push().returncode == 0
    work.commit(f"b/{NAME}", shard("model.w", bad=True).data)
    work.commit("b/config.json", CONFIG)
    done = work.push()
    assert done.returncode != 0
    assert "b/model.safetensors" in done.stderr


def test_a_push_with_a_configuration_that_cannot_be_followed_is_stopped(work: Work) -> None:
    (work.place / "tensorlint.toml").write_text("dpeth = 'full'\n")
    done = work.push()
    assert done.returncode != 0
    assert "did you mean `depth`" in done.stderr


def test_the_linter_in_another_interpreter_passes_reasons_on(model: Path) -> None:
    (model / "tensorlint.toml").write_text(IGNORE)
    asked = {
        "repo": REPO, "revision": "main", "endpoint": "", "headers": {}, "deletions": [], "unseen": [], "remote": False,
        "additions": [{"name": NAME, "path": str(model / NAME), "approved": False}],
    }  # fmt: skip
    call = "import sys; from tensorlint.gate.hub.worker import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", call], input=json.dumps(asked), capture_output=True, text=True)
    said = json.loads(done.stdout)["findings"]
    assert [(f[0], f[1], f[3].partition(" (")[0]) for f in said if f[1] == "error"] == [
        ("weights/nan", "error", "tied to nothing")
    ]
