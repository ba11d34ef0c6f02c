"""Model types of transformers, and the classes of each that have checkpoints of their own."""

from __future__ import annotations

import logging
import os
import re
from functools import lru_cache
from typing import Any

FIRST = (
    "IMAGE_TEXT_TO_TEXT", "SEQ_TO_SEQ_CAUSAL_LM", "SPEECH_SEQ_2_SEQ", "MASKED_LM", "CTC", "CAUSAL_LM", "MULTIMODAL_LM",
    "PRETRAINING",
)  # fmt: skip


def quiet() -> None:
    """No network, no progress bars, no advice."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TQDM_DISABLE"] = "1"
    logging.disable(logging.WARNING)
    import torch
    import transformers
    from torch import nn

    torch.set_num_threads(1)
    # Values do not matter here, and half of the time goes into them.
    for kind in (nn.Linear, nn.Embedding, nn.LayerNorm, nn.modules.conv._ConvNd, nn.modules.batchnorm._BatchNorm):
        kind.reset_parameters = lambda self: None  # type: ignore[method-assign, assignment]
    transformers.logging.set_verbosity_error()


@lru_cache(maxsize=1)
def _mappings() -> list[Any]:
    from transformers.models.auto import modeling_auto as auto

    rest = sorted(k[10:-8] for k in dir(auto) if k.startswith("MODEL_FOR_") and k.endswith("_MAPPING"))
    names = [*FIRST, *(k for k in rest if k not in FIRST)]
    found = [getattr(auto, f"MODEL_FOR_{k}_MAPPING", None) for k in names]
    return [
        *(m for m in found[: len(FIRST)] if m is not None),
        auto.MODEL_MAPPING,
        *(m for m in found[len(FIRST) :] if m is not None),
    ]


@lru_cache(maxsize=1)
def config_classes() -> list[Any]:
    """Configuration classes of all types that have a class, without repetition."""
    found: dict[str, Any] = {}
    for mapping in _mappings():
        for model_type in mapping._model_mapping:
            if model_type in mapping._config_mapping:
                try:
                    config = mapping._load_attr_from_module(model_type, mapping._config_mapping[model_type])
                except Exception:  # of a package that is not installed
                    continue
                if re.fullmatch(r"[a-z0-9_-]+", config.model_type or ""):  # what a file may be called
                    found.setdefault(config.model_type, config)
    return list(found.values())


def classes_of(config_class: Any) -> list[type]:
    """Classes of a type, the main one first."""
    found: list[type] = []
    for mapping in _mappings():
        try:
            classes = mapping[config_class]
        except Exception:  # none in this mapping, or one that needs a package
            continue
        for klass in classes if isinstance(classes, (tuple, list)) else (classes,):
            if klass is not None and klass not in found:
                found.append(klass)
    return found
