# ruff: noqa: E402
"""Every way to upload, run with the gate armed: first a broken checkpoint, then a sound one.

Run as a program, because huggingface_hub reads HF_ENDPOINT once: `python paths.py MODE XET FILE` writes, as JSON, what
every way did. MODE is install, guard or none; XET is empty for LFS.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
from gate.hub.material import CONFIG, File, shard
from hubserver import Hub

NAME = "model.safetensors"
MODE, XET, RESULT = sys.argv[1:4] if __name__ == "__main__" else ("none", "", "")
HUB: Hub
if __name__ == "__main__":
    HUB = Hub(xet=XET).__enter__()
    HUB.user("t", "user", ["org/any"])
    settings = {
        "HF_ENDPOINT": HUB.url,
        "HF_TOKEN": "t",
        "HF_HOME": tempfile.mkdtemp(),
        "HF_HUB_DISABLE_XET": "" if XET else "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    os.environ.update({k: v for k, v in settings.items() if v})

import huggingface_hub

# Before the gate is armed: captured as most scripts do it, in their first lines.
from huggingface_hub import (
    CommitOperationAdd,
    CommitScheduler,
    HfApi,
    HfFileSystem,
    create_commit,
    preupload_lfs_files,
    upload_file,
    upload_folder,
)

import tensorlint.gate

ModelHubMixin: Any = None
with contextlib.suppress(ImportError):  # in 0.x it needs torch where safetensors is installed
    from huggingface_hub import ModelHubMixin

Way = Callable[[str, Path], Any]
WAYS: dict[str, Way] = {}
KINDS: dict[str, str] = {}


def way(kind: str = "model", when: bool = True) -> Callable[[Way], Way]:
    def note(function: Way) -> Way:
        if when:
            WAYS[function.__name__] = function
            KINDS[function.__name__] = kind
        return function

    return note


def add(folder: Path) -> list[CommitOperationAdd]:
    return [CommitOperationAdd(p.name, str(p)) for p in sorted(folder.iterdir())]


@way()
def upload_file_path(repo: str, folder: Path) -> None:
    HfApi().upload_file(path_or_fileobj=folder / NAME, path_in_repo=NAME, repo_id=repo)


@way()
def upload_file_text_path(repo: str, folder: Path) -> None:
    HfApi().upload_file(path_or_fileobj=str(folder / NAME), path_in_repo="sub/" + NAME, repo_id=repo)


@way()
def upload_file_bytes(repo: str, folder: Path) -> None:
    HfApi().upload_file(path_or_fileobj=(folder / NAME).read_bytes(), path_in_repo=NAME, repo_id=repo)


@way()
def upload_file_open(repo: str, folder: Path) -> None:
    with (folder / NAME).open("rb") as file:
        HfApi().upload_file(path_or_fileobj=file, path_in_repo=NAME, repo_id=repo)


@way()
def upload_file_memory(repo: str, folder: Path) -> None:
    HfApi().upload_file(path_or_fileobj=io.BytesIO((folder / NAME).read_bytes()), path_in_repo=NAME, repo_id=repo)


@way()
def upload_file_pull_request(repo: str, folder: Path) -> None:
    HfApi().upload_file(path_or_fileobj=folder / NAME, path_in_repo=NAME, repo_id=repo, create_pr=True)


@way()
def upload_file_future(repo: str, folder: Path) -> None:
    HfApi().upload_file(path_or_fileobj=folder / NAME, path_in_repo=NAME, repo_id=repo, run_as_future=True).result()


@way()
def upload_folder_plain(repo: str, folder: Path) -> None:
    HfApi().upload_folder(folder_path=folder, repo_id=repo)


@way()
def upload_folder_pull_request(repo: str, folder: Path) -> None:
    HfApi().upload_folder(folder_path=folder, repo_id=repo, create_pr=True)


@way()
def upload_folder_patterns(repo: str, folder: Path) -> None:
    HfApi().upload_folder(
        folder_path=folder, repo_id=repo, allow_patterns=["*.safetensors"], delete_patterns=["*.safetensors", "*.bin"]
    )


@way()
def upload_folder_ignored_junk(repo: str, folder: Path) -> None:
    (folder / "junk.safetensors").write_bytes(shard("model.w", bad=True).data)
    HfApi().upload_folder(folder_path=folder, repo_id=repo, ignore_patterns=["junk*"])


@way()
def upload_folder_future(repo: str, folder: Path) -> None:
    HfApi().upload_folder(folder_path=folder, repo_id=repo, run_as_future=True).result()


@way()
def create_commit_list(repo: str, folder: Path) -> None:
    HfApi().create_commit(repo_id=repo, operations=add(folder), commit_message="m")


@way()
def create_commit_positional_generator(repo: str, folder: Path) -> None:
    HfApi().create_commit(repo, (o for o in add(folder)), commit_message="m")


@way()
def create_commit_future(repo: str, folder: Path) -> None:
    HfApi().create_commit(
        repo_id=repo, operations=(o for o in add(folder)), commit_message="m", run_as_future=True
    ).result()


@way()
def run_as_future(repo: str, folder: Path) -> None:
    api = HfApi()
    api.run_as_future(api.upload_folder, folder_path=folder, repo_id=repo).result()


@way()
def preupload_then_commit(repo: str, folder: Path) -> None:
    api, operations = HfApi(), add(folder)
    for operation in operations:
        api.preupload_lfs_files(repo, additions=(o for o in [operation]))
    api.create_commit(repo, operations, commit_message="m")


@way()
def preupload_without_keeping(repo: str, folder: Path) -> None:
    api, operation = HfApi(), CommitOperationAdd(NAME, (folder / NAME).read_bytes())
    api.preupload_lfs_files(repo, additions=[operation], free_memory=True)
    api.create_commit(repo, [operation], commit_message="m")


@way()
def captured_upload_file(repo: str, folder: Path) -> None:
    upload_file(path_or_fileobj=folder / NAME, path_in_repo=NAME, repo_id=repo)


@way()
def captured_upload_folder(repo: str, folder: Path) -> None:
    upload_folder(folder_path=folder, repo_id=repo)


@way()
def captured_create_commit(repo: str, folder: Path) -> None:
    create_commit(repo_id=repo, operations=add(folder), commit_message="m")


@way()
def captured_preupload(repo: str, folder: Path) -> None:
    operations = add(folder)
    preupload_lfs_files(repo, additions=operations)
    create_commit(repo_id=repo, operations=operations, commit_message="m")


@way()
def commit_scheduler(repo: str, folder: Path) -> None:
    scheduler = CommitScheduler(repo_id=repo, folder_path=folder, every=1000)
    try:
        with contextlib.suppress(Exception):
            scheduler.last_future.result()
        scheduler.trigger().result()
    finally:
        scheduler.stop()


@way()
def file_system(repo: str, folder: Path) -> None:
    with HfFileSystem(skip_instance_cache=True).open(f"{repo}/{NAME}", "wb") as file:
        file.write((folder / NAME).read_bytes())


@way()
def file_system_put(repo: str, folder: Path) -> None:
    HfFileSystem(skip_instance_cache=True).put_file(str(folder / NAME), f"{repo}/{NAME}")


@way(when=ModelHubMixin is not None)
def model_hub_mixin(repo: str, folder: Path) -> None:
    class Model(ModelHubMixin):  # type: ignore[misc,unused-ignore]
        def _save_pretrained(self, save_directory: Path) -> None:
            (Path(save_directory) / NAME).write_bytes((folder / NAME).read_bytes())

        def push_to_hub(self, *args: Any, **kwargs: Any) -> Any:  # a model card would need Jinja
            with contextlib.suppress(AttributeError):
                self.generate_model_card = lambda *a, **k: SimpleNamespace(save=lambda *a: None)
            return super().push_to_hub(*args, **kwargs)

    Model().push_to_hub(repo)


@way()
def hf_command(repo: str, folder: Path) -> None:
    from huggingface_hub.cli.hf import main

    sys.argv = ["hf", "upload", repo, str(folder)]
    with contextlib.redirect_stdout(io.StringIO()):
        main()


@way(when=hasattr(HfApi, "upload_large_folder"))
def upload_large_folder(repo: str, folder: Path) -> None:
    HfApi().upload_large_folder(repo_id=repo, folder_path=folder, repo_type="model", print_report=False, num_workers=2)


@way("bucket", hasattr(HfApi, "batch_bucket_files"))
def bucket(repo: str, folder: Path) -> None:
    HfApi().batch_bucket_files(repo, add=[(str(p), p.name) for p in folder.iterdir()])


@way("dataset")
def dataset(repo: str, folder: Path) -> None:
    HfApi().upload_folder(folder_path=folder, repo_id=repo, repo_type="dataset")


@way("space")
def space(repo: str, folder: Path) -> None:
    HfApi().upload_file(path_or_fileobj=folder / NAME, path_in_repo=NAME, repo_id=repo, repo_type="space")


def attempt(name: str, which: str, file: File) -> dict[str, Any]:
    """One upload: how it ended, what the Hub saw, whether the file is in the repository."""
    kind, repo_name = f"{KINDS[name]}s", f"org/{name}-{which}"
    repo = HUB.store.create(kind, repo_name)
    HUB.log.clear()
    error = ""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "config.json").write_bytes(CONFIG)
        (folder / NAME).write_bytes(file.data)
        try:
            WAYS[name](repo_name, folder)
        except BaseException as raised:
            error = f"{type(raised).__name__}: {raised}"
    digest = hashlib.sha256(file.data).hexdigest()
    entries = {path: e.lfs for b in repo.branches.values() for c in b for path, e in c.files.items()}
    return {
        "error": error,
        "leaks": [r.line for r in HUB.log.holds(file.marker)],
        "writes": [r.line for r in HUB.log.writes() if not r.path.startswith(("/api/repos/create", "/api/agent"))],
        "stored": any(p.endswith(NAME) and (kind == "buckets" or e == digest) for p, e in entries.items()),
    }


def everything() -> dict[str, dict[str, dict[str, Any]]]:
    """Every way, with a broken and then a sound file."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for name in WAYS:
        if KINDS[name] == "bucket" and not XET:
            continue  # buckets have no LFS
        found[name] = {
            "bad": attempt(name, "bad", shard("model.w", bad=True)),
            "good": attempt(name, "good", shard("model.w")),
        }
    return found


if __name__ == "__main__":
    if MODE == "install":
        tensorlint.gate.install(buckets=True)
    with tensorlint.gate.guard(buckets=True) if MODE == "guard" else contextlib.nullcontext():
        result = everything()
    history = [e.message for e in tensorlint.gate.history()]
    text = json.dumps(
        {"version": huggingface_hub.__version__, "ways": result, "history": history, "problems": HUB.problems}
    )
    Path(RESULT).write_text(text)
    os._exit(0)  # the schedulers' threads sleep for hours
