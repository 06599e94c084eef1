"""Loads the base model from a Hugging Face folder or from a GGUF file, without asking any hub."""
import os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
os.environ["TQDM_DISABLE"] = "1"

import torch
from transformers import AutoModelForCausalLM


def load_base_model(path, dtype, attention="sdpa"):
    """`path` is a folder with config.json, or a .gguf file, whose weights are dequantised to `dtype`."""
    path = Path(path)
    if not path.exists():
        raise SystemExit(f"{path}: no such file or folder")
    options = {"dtype": dtype, "attn_implementation": attention}
    if path.is_dir():
        return AutoModelForCausalLM.from_pretrained(path, **options)
    model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, **options)
    wrong = {p.dtype for p in model.parameters()} - {dtype}
    if wrong:
        raise SystemExit(f"{path}: weights came out as {wrong}, not {dtype}")
    return model


def dtype_named(name):
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[name]
