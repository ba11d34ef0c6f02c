"""A dialect of a user that names a JSON file of its own: the file is read, wherever a checkpoint comes from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import yaml
from huggingface_hub import HfApi, constants

import tensorlint
from gitclone import HAS_LFS, Clone, make_clone
from hubserver import Hub
from tensorlint.files import CONFIGS, belongs, may_belong
from tensorlint.gate import UploadBlocked, guard
from tensorlint.report.findings import Report
from tensorlint.rulebook.examples import write_shard
from tensorlint.rulebook.library import load_book
from tensorlint.sources.local import LocalSource
from tensorlint.stats.report import survey

FILE = "acme_quant.json"
DIALECT = f"""\
summary: How Acme says it.
method: acme
places: [{{file: {FILE}, when: {{method: acme}}}}]
fields: {{bits: bits}}
lists: none
"""
SCHEME = """\
summary: "FP5 as Acme writes it."
parts:
  weight:      {name: "{module}.acme_weight", dtype: U8, shape: [N, 5*K/8], holds: raw}
  block_scale: {name: "{module}.acme_scale", dtype: F16, shape: [N, K/64], scales: weight}
declared: [{method: acme, bits: 5}]
good:
  - model.safetensors: {"layers.{0..2}.o_proj.acme_weight": "U8[32, 80]", "layers.{0..2}.o_proj.acme_scale": "F16[32, 2]"}
bad:
  - but: {layers.1.o_proj.acme_scale: dropped}
    rule: contract/missing-part
"""
RIGHT, WRONG, NOTHING = {"method": "acme", "bits": 5}, {"method": "acme", "bits": 4}, None
SAID = [(RIGHT, set()), (WRONG, {"config/scheme-mismatch"}), (NOTHING, {"config/declaration-missing"})]
LOUD = {"config/scheme-mismatch", "config/declaration-missing"}
TENSORS = {
    name: tensor
    for layer in range(3)
    for name, tensor in {
        f"model.layers.{layer}.mlp.up_proj.acme_weight": torch.arange(32 * 80, dtype=torch.uint8).reshape(32, 80),
        f"model.layers.{layer}.mlp.up_proj.acme_scale": torch.full((32, 2), 0.01, dtype=torch.float16),
    }.items()
}


def put(folder: Path, stated: object) -> Path:
    """The checkpoint, with what the file of its own states, or without it."""
    folder.mkdir(parents=True, exist_ok=True)
    kinds = {torch.uint8: "U8", torch.float16: "F16"}
    rows = {n: (kinds[t.dtype], tuple(t.shape), t.numpy().tobytes()) for n, t in TENSORS.items()}
    (folder / "model.safetensors").write_bytes(write_shard(rows))
    (folder / "config.json").write_text('{"model_type": "llama", "architectures": ["LlamaForCausalLM"]}')
    state(folder, stated)
    return folder


def state(folder: Path, stated: object) -> None:
    if stated is None:
        (folder / FILE).unlink(missing_ok=True)
    else:
        (folder / FILE).write_text(json.dumps(stated))


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "acme.yaml").write_text(DIALECT)
    (tmp_path / "rules" / "fp5-acme.yaml").write_text(SCHEME)
    return tmp_path / "rules"


def said(report: Report) -> set[str]:
    return {f.rule for f in report.findings} & LOUD


@pytest.mark.parametrize(("stated", "wanted"), SAID)
def test_in_a_folder(tmp_path: Path, rules: Path, stated: object, wanted: set[str]) -> None:
    folder = put(tmp_path / "m", stated)
    assert said(tensorlint.check(folder, rules=[rules])) == wanted
    assert said(tensorlint.check(folder / "model.safetensors", rules=[rules])) == wanted


@pytest.mark.parametrize(("stated", "wanted"), SAID)
def test_beside_a_state_dict(tmp_path: Path, rules: Path, stated: object, wanted: set[str]) -> None:
    folder = put(tmp_path / "m", stated)
    assert said(tensorlint.check_state_dict(TENSORS, folder, rules=[rules])) == wanted


def test_in_a_survey(tmp_path: Path, rules: Path) -> None:
    """Of two schemes with the same parts the declared one counts."""
    (rules / "a-acme.yaml").write_text(SCHEME.replace("bits: 5", "bits: 4"))
    book = load_book([rules])
    for stated, scheme in ((RIGHT, "fp5-acme"), (WRONG, "a-acme")):
        contents = survey(LocalSource(put(tmp_path / "m", stated), "m"), book, "")
        assert {row.scheme for row in contents.rows} == {scheme}


# -- the Hub ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    for name in ("HF_TOKEN", "TENSORLINT_GATE", "TENSORLINT_ACCEPT"):
        monkeypatch.delenv(name, raising=False)
    with Hub(xet="http") as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
        server.user("t", "user", ["org/model"])
        yield server


@pytest.mark.parametrize(("stated", "wanted"), SAID)
def test_on_the_hub(hub: Hub, tmp_path: Path, rules: Path, stated: object, wanted: set[str]) -> None:
    folder = put(tmp_path / "m", stated)
    hub.create("org/model", {path.name: path.read_bytes() for path in folder.iterdir()})
    assert said(tensorlint.check("org/model", rules=[rules], isolated=True)) == wanted


@pytest.mark.parametrize("stated", [RIGHT, WRONG, NOTHING])
def test_in_an_upload(hub: Hub, tmp_path: Path, rules: Path, stated: object) -> None:
    hub.create("org/model", {})
    folder = put(tmp_path / "m", stated)
    (folder / "tensorlint.toml").write_text('rules = ["../rules"]\n')
    api = HfApi(endpoint=hub.url, token="t")

    def upload() -> None:
        with guard():
            api.upload_folder(folder_path=str(folder), repo_id="org/model", allow_patterns=["*.safetensors", "*.json"])

    if stated is RIGHT:
        upload()
        assert FILE in hub.store.repos["models", "org/model"].branches["main"][-1].files
        return
    with pytest.raises(UploadBlocked, match="config/"):
        upload()


def test_an_upload_of_weights_beside_what_the_repository_has_already(hub: Hub, tmp_path: Path, rules: Path) -> None:
    folder = put(tmp_path / "m", RIGHT)
    hub.create("org/model", {FILE: (folder / FILE).read_bytes(), "config.json": (folder / "config.json").read_bytes()})
    (folder / "tensorlint.toml").write_text('rules = ["../rules"]\n')
    with guard():
        HfApi(endpoint=hub.url, token="t").upload_file(
            path_or_fileobj=str(folder / "model.safetensors"), path_in_repo="model.safetensors", repo_id="org/model"
        )


def test_other_json_files_alone_are_uploaded_without_a_check(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from tensorlint.gate.hub import review

    hub.create("org/model", {})
    with guard():
        monkeypatch.setattr(review, "_linter", [lambda _: pytest.fail("nothing here is gated")])
        api = HfApi(endpoint=hub.url, token="t")
        api.upload_file(path_or_fileobj=b"{}", path_in_repo="tokenizer.json", repo_id="org/model")


# -- git --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def clone(tmp_path: Path, rules: Path) -> Clone:
    made = make_clone(tmp_path)
    (made.root / "tensorlint.toml").write_text(f'rules = ["{rules.as_posix()}"]\n')
    return made


def test_in_a_commit_that_changes_nothing_else(clone: Clone) -> None:
    put(clone.root / "m", RIGHT)
    clone.commit()

    def hook(name: str) -> str:
        clone.git("add", "-A")
        done = clone.tensorlint("pre-commit", name, ok=False)
        return "".join(re.findall(r"error\[(.*?)\]", done.stdout))

    assert hook(f"m/{FILE}") == ""
    state(clone.root / "m", WRONG)
    assert hook(f"m/{FILE}") == "config/scheme-mismatch"
    assert hook("m/tokenizer.json") == ""  # no dialect names it: the checkpoint is not touched
    state(clone.root / "m", NOTHING)
    assert hook("m/tokenizer.json") == "config/declaration-missing"  # git is asked what the commit deletes


def test_in_a_push_that_changes_nothing_else(clone: Clone) -> None:
    clone.tensorlint("git-hook", "install")
    put(clone.root / "m", RIGHT)
    clone.commit()
    clone.git("push", "-q", "origin", "main")
    state(clone.root / "m", WRONG)
    clone.commit()
    done = clone.git("push", "-q", "origin", "main", ok=False)
    assert done.returncode != 0
    assert "config/scheme-mismatch" in done.stderr
    state(clone.root / "m", RIGHT)
    (clone.root / "m" / "tokenizer.json").write_text("{}")
    clone.commit()
    clone.git("push", "-q", "origin", "main")


@pytest.mark.skipif(not HAS_LFS, reason="git-lfs is not installed")
def test_in_a_clone_that_keeps_json_files_in_lfs(tmp_path: Path, rules: Path) -> None:
    clone = make_clone(tmp_path, lfs=True)
    clone.git("lfs", "track", "*.json")
    (clone.root / "tensorlint.toml").write_text(f'rules = ["{rules.as_posix()}"]\n')
    clone.tensorlint("git-hook", "install")
    put(clone.root / "m", WRONG)
    clone.commit()
    done = clone.git("push", "-q", "origin", "main", ok=False)
    assert "config/scheme-mismatch" in done.stderr


# -- which files count ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "part", "possible"),
    [
        ("a.safetensors", True, True),
        ("x/model.safetensors.index.json", True, True),
        *((f"{folder}{config}", True, True) for folder in ("", "m/") for config in CONFIGS),
        (f"m/{FILE}", False, True),
        ("my-config.json", False, True),
        ("README.md", False, False),
        ("a.safetensors.bak", False, False),
        ("config.json.orig", False, False),
    ],
)
def test_the_hook_is_told_of_every_file_that_may_be_read(name: str, part: bool, possible: bool) -> None:
    hooks = yaml.safe_load((Path(__file__).parents[1] / ".pre-commit-hooks.yaml").read_text())
    pattern = re.compile(next(hook["files"] for hook in hooks if hook["id"] == "tensorlint"))
    assert belongs(name) is part
    assert belongs(name, (*CONFIGS, FILE)) is (part or name.endswith(FILE))
    assert may_belong(name) is possible
    assert bool(pattern.search(name)) is possible
