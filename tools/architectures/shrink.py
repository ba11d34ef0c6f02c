"""A configuration of a model type made smaller, in ways that leave most classes able to build.

Ways: `few` keeps the sizes and cuts the numbers of layers and experts; `small` has sizes chosen to differ from each
other; `scaled` divides all widths by a power of two; with a `+` what is None in the default is filled in.
"""

from __future__ import annotations

import copy
import math
import re
from typing import Any

WAYS = ("few", "small", "scaled", "small+", "scaled+")
LEFT_OUT = (
    "transformers_version", "architectures", "_name_or_path", "torch_dtype", "dtype", "stage_names", "out_features",
    "out_indices", "id2label", "label2id",
)  # fmt: skip
WIDE = (
    "hidden_size", "d_model", "n_embd", "embed_dim", "dim", "model_dim", "encoder_hidden_size", "hidden_dim",
    "embedding_size", "width", "emb_dim",
)  # fmt: skip
MAIN = ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "depth", "encoder_layers", "decoder_layers")
LAYERS = re.compile(
    r"(^|_)(num_hidden_layers|n_layers?|num_layers|layers|depth|num_blocks|num_hidden_groups)$|^num_hidden_layers"
)
NO_LAYERS = re.compile(
    r"nextn|mtp|window|shared|dense|feature|per_layer|hash|skip|cross_attention_layers|conv|cnn|adapter|fpn|mlp_layers"
    r"|projector|extract"
)
KV_HEADS = re.compile(r"(key_value|kv)_heads|n_head_kv|num_key_value_groups|multi_query_group_num|kv_head")
HEADS = re.compile(r"(^|_)(num_heads|n_heads?|attention_heads|heads|num_attn_heads)$")
EXPERTS = re.compile(
    r"^(num_experts|n_routed_experts|num_local_experts|moe_num_experts|num_routed_experts|.*num_experts)$"
)
TOP_K = re.compile(r"experts_per_tok|top_?k(?!.*group)|moe_k|num_selected_experts")
INNER = re.compile(
    r"intermediate_size|ffn_(hidden_size|dim|hidden_dim)|n_inner|d_ff|mlp_dim|dim_feedforward|inner_dim"
    r"|feed_?forward_(dim|size)|mlp_hidden_size"
)
WIDTH = re.compile(r"(size|dim|dims|width|channels|rank|d_model|n_embd|hidden|embd|d_kv|d_inner|d_ff)$")
NO_WIDTH = re.compile(
    r"patch|image_size|kernel|window|stride|merge|temporal|type_vocab|vocab|crop|chunk|group_size|num_channels"
    r"|in_channels|in_chans|block_size|pool|max_|sample|resolution|scale|queue|grid|spatial|codebook_size|max_source"
    r"|out_channels$|crop_size|buffer|segment|pretrain"
)
TOKEN = re.compile(r"token_?(id|index|ids|idx)$|_id$|token_id_")
POSITIONS = re.compile(r"max_(position|source|target|seq)|n_positions|max_length|n_ctx|context_length")
SMALL = {
    "qk_nope_head_dim": 24, "qk_rope_head_dim": 8, "v_head_dim": 20, "qk_head_dim": 32, "q_lora_rank": 40,
    "kv_lora_rank": 36,
}  # fmt: skip
ROLES = {"text": 96, "vision": 64, "audio": 80, "other": 112}


def role_of(key: str) -> str:
    """What a sub-configuration is about, by its key."""
    if re.search(r"vision|image|visual|pixel", key):
        return "vision"
    if re.search(r"audio|speech|acoustic|codec|sound|music|encodec|vocoder|mimi", key):
        return "audio"
    return "text" if re.search(r"text|llm|language|decoder|thinker|lm|talker|model", key) else "other"


def kept_layers(config: dict[str, Any], count: int, cap: int) -> tuple[int, list[int] | None]:
    """A new number of layers, and the layers that stay: each kind of layer three times where that fits."""
    columns = [
        v
        for v in config.values()
        if isinstance(v, list) and len(v) == count and count > 3 and all(isinstance(x, (str, int, bool)) for x in v)
    ]
    if not columns:
        return min(count, cap), None
    kinds = [tuple(str(c[i]) for c in columns if len(set(map(str, c))) <= 4) for i in range(count)]
    room = 6 if len(set(kinds)) > 1 else cap
    keep: list[int] = []
    for wanted in (1, 2):
        for i, kind in enumerate(kinds):
            if i not in keep and sum(kinds[j] == kind for j in keep) < wanted and len(keep) < room:
                keep.append(i)
    return len(keep), sorted(keep)


class Shrinker:
    """One configuration, or sub-configuration, on its way to a smaller one."""

    def __init__(self, config: dict[str, Any], way: str, role: str, vocabulary: int | None) -> None:
        self.d = {k: v for k, v in config.items() if k not in LEFT_OUT}
        self.way, self.fill, self.role = way.rstrip("+"), way.endswith("+"), role
        self.full_way = way
        self.vocabulary = vocabulary
        wide = next((k for k in WIDE if isinstance(self.d.get(k), int) and self.d[k] > 1), None)
        self.wide0: int = self.d[wide] if wide else 256
        self.factor: float = 1
        if self.way == "scaled":
            while self.wide0 / self.factor > 130 and (self.wide0 / self.factor) % 2 == 0:
                self.factor *= 2
            self.wide = int(self.wide0 / self.factor)
        elif self.way == "few":
            self.wide = self.wide0
        else:
            self.wide = min(ROLES[role], self.wide0) if wide else ROLES[role]
            self.factor = max(1.0, self.wide0 / ROLES[role])

    def run(self) -> dict[str, Any]:
        """The smaller configuration."""
        self._layers()
        self._heads()
        for key, value in list(self.d.items()):
            if value is None or isinstance(value, (bool, str, float)):
                continue
            if isinstance(value, dict):
                if "model_type" in value or key.endswith("_config"):
                    role = role_of(key) if key.endswith("_config") else self.role
                    self.d[key] = Shrinker(value, self.full_way, role, 544).run()
            elif isinstance(value, list):
                self._list(key, value)
            elif isinstance(value, int) and key not in self.layers and value != 0:
                self._number(key, value)
        self._rest()
        return self.d

    def _layers(self) -> None:
        d = self.d
        counts = {
            k: v for k, v in d.items() if type(v) is int and LAYERS.search(k) and not NO_LAYERS.search(k) and v > 1
        }
        self.main = next((k for k in MAIN if k in counts), None)
        self.main0 = counts.get(self.main or "", 0)
        self.layers: dict[str, int] = {}
        for key, count in counts.items():
            cap = 4 if key == self.main and self.way != "few" else 3
            if key == self.main and any(re.search(r"layer_period$|_interval$|layer_freq$", k) for k in d):
                cap = 6  # so that a pattern over layers can be seen
            new, keep = kept_layers(d, count, cap)
            self.layers[key] = d[key] = new
            if keep is not None and key == self.main:
                for k, v in list(d.items()):
                    if isinstance(v, list) and len(v) == count:
                        d[k] = [v[i] for i in keep]
        self.count = self.layers.get(self.main or "", 4)

    def _heads(self) -> None:
        d = self.d
        heads0 = next((v for k, v in d.items() if HEADS.search(k) and isinstance(v, int) and v), None)
        kv0 = next((v for k, v in d.items() if KV_HEADS.search(k) and isinstance(v, int) and v), None)
        self.heads0, self.grouped = heads0, bool(heads0 and kv0 and kv0 < heads0)
        self.heads, self.kv = heads0, kv0
        if self.way == "small":
            self.heads, self.kv = (6, 2 if kv0 and kv0 > 1 else 1) if self.grouped else (4, 4)
            if self.wide % self.heads:
                wide = self.wide // self.heads * self.heads // 8 * 8 or self.wide
                self.wide = wide if wide % self.heads == 0 else self.heads * 16
        elif self.way == "scaled":
            part = max(1, (heads0 or 8) // 4)
            self.heads = max(1, (heads0 or 8) // part)
            self.kv = max(1, (kv0 or self.heads) // part) if self.grouped else self.heads
            while self.wide % self.heads:
                self.heads -= 1
            self.kv = 1 if self.heads % self.kv else self.kv

    def _list(self, key: str, value: list[Any]) -> None:
        cut = self.main and len(value) == self.count and len(value) != self.main0
        if not value or cut or not all(type(x) is int for x in value):
            return
        if re.search(r"(indices|indexes|idxs?|_ids|layers|layer)$", key):
            if "token" in key:
                self.d[key] = value if self.way == "few" else [min(x, 90 + i) for i, x in enumerate(value)]
            else:
                self.d[key] = sorted({(x % self.count) if x >= 0 else max(x, -self.count) for x in value})
        elif self.way == "few":
            return
        elif re.search(r"depths|num_blocks|layer_repeats", key):
            self.d[key] = [min(x, 2) for x in value]
        elif re.search(r"hidden_sizes|dims?$|channels|widths?|filters|embed", key) and max(value) > 32:
            step = 1
            while max(value) / step > 128 and all((x / step) % 2 == 0 and x / step >= 16 for x in value):
                step *= 2
            self.d[key] = [int(x / step) for x in value]
        elif "heads" in key:
            self.d[key] = [1 if x < 2 else 2 for x in value]

    def _number(self, key: str, value: int) -> None:
        new = self._counted(key, value)
        if new is None and self.way != "few":
            new = self._sized(key, value)
        if new is not None:
            self.d[key] = new

    def _counted(self, key: str, value: int) -> int | None:
        few = self.way == "few"
        if re.search(r"vocab_size$|n_vocab|n_words", key) and (value > 600 or key == "vocab_size"):
            if few:
                return None
            self.vocabulary = 544 if self.role == "text" else 416
            return self.vocabulary
        if TOKEN.search(key):
            return value
        if KV_HEADS.search(key):
            return self.kv if self.kv is not None else value
        if HEADS.search(key):
            special = re.search(r"linear|mamba|index|ssm|conv", key)
            return value if few else max(1, min(value, 4)) if special or not self.heads else self.heads
        if EXPERTS.search(key):
            return min(value, 4)
        if TOP_K.search(key) and 2 < value < 64:
            return 2
        if key in ("n_group", "topk_group"):
            return {"n_group": 2, "topk_group": 1}[key] if value > 1 else value
        if re.search(r"layer_period$|_interval$|layer_freq$", key) and value > 3:
            return 3
        if key.endswith("layer_offset") and value > 1:
            return 1
        if key == "first_k_dense_replace":
            return min(value, 1)
        if key == "num_kv_shared_layers":
            return 0
        if POSITIONS.search(key) and value > 160:
            return 136
        return None

    def _sized(self, key: str, value: int) -> int | None:
        small, factor = self.way == "small", self.factor

        def near(x: int) -> int:
            return max(8, round(x / factor / 8) * 8)

        if key in WIDE:
            return self.wide if value == self.wide0 else near(value)
        if small and key in SMALL:
            return SMALL[key]
        if small and INNER.search(key):
            return 160 if not re.search(r"moe|expert|shared", key) else 72 if "shared" in key else 56
        if re.search(r"head_dim|d_kv|key_dim|value_dim|head_size", key):
            if small and value > 8 and not re.search(r"linear|mamba", key):
                return 24 if self.grouped else self.wide // (self.heads or 4)
            if small:
                return max(8, value // 4)
            return max(4, int(value / max(1, factor * (self.heads or 1) / (self.heads0 or self.heads or 1))))
        if WIDTH.search(key) and not NO_WIDTH.search(key) and value >= 32:
            return self.wide if value == self.wide0 else near(value) if small else max(4, int(value / factor))
        if re.search(r"codebook_size|image_size|max_", key) and value > 512:
            return value if key.startswith("image") else 256
        if key == "image_size" and value >= 128 and isinstance(self.d.get("patch_size"), int):
            return int(self.d["patch_size"]) * 4
        return None

    def _rest(self) -> None:
        d = self.d
        layers = d.get("per_layer_config")
        if isinstance(layers, dict) and layers:
            own = zip(range(1, self.count), layers.values(), strict=False)
            d["per_layer_config"] = {
                str(i): Shrinker(v, self.full_way, self.role, None).run() for i, v in own if isinstance(v, dict)
            }
            if self.fill:
                d.pop("per_layer_config")
        if self.fill:
            filled = {
                "head_dim": self.wide // (self.heads or 4), "num_key_value_heads": self.kv,
                "num_attention_heads": self.heads, "vocab_size": 33 if self.role == "text" else 416,
            }  # fmt: skip
            d.update({k: v for k, v in filled.items() if k in d and d[k] is None})
        text = d.get("text_config") or d.get("llm_config")
        if isinstance(text, dict) and isinstance(text.get("hidden_size"), int):
            for sub in d.values():
                if isinstance(sub, dict) and sub is not text:
                    for key in (
                        "out_hidden_size",
                        "text_hidden_size",
                        "output_hidden_size",
                        "lm_hidden_size",
                        "llm_hidden_size",
                    ):
                        if isinstance(sub.get(key), int):
                            sub[key] = text["hidden_size"]
        if self.way != "few" and self.vocabulary:
            tokens = [k for k, v in d.items() if TOKEN.search(k) and type(v) is int and v > 90]
            d.update({key: 104 + i for i, key in enumerate(tokens)})
        for key in ("rope_parameters", "rope_scaling"):
            if isinstance(d.get(key), dict):
                d[key] = copy.deepcopy(d[key])
                self._rope(d[key])

    def _rope(self, rope: dict[str, Any]) -> None:
        for key, value in list(rope.items()):
            if isinstance(value, dict):
                self._rope(value)
            elif key == "mrope_section" and isinstance(value, list) and self.way != "few":
                width = self.d.get("head_dim") or self.wide // (self.heads or 1)
                half = math.floor(width * (rope.get("partial_rotary_factor") or 1)) // 2
                rope[key] = [half - 2 * (half // 3), half // 3, half // 3]


def shrunk(config: dict[str, Any], way: str) -> dict[str, Any]:
    """The default configuration of a type, as `to_dict` gives it, made smaller in one of WAYS."""
    return Shrinker(config, way, "text", None).run()
