#!/usr/bin/env python3
"""Loads an exported PEFT adapter with PEFT itself and prints the last position's logits as JSON.

    python Benchmarks/peer/check_peft_export.py --model MODEL --adapter FOLDER --tokens 1,2,3

MODEL is the base model, a Hugging Face folder or a GGUF file; it is computed in float32. Without --adapter
the base model alone answers. The output is {"tokens": [..], "logits": [..], "adapter": {..}}, where
"adapter" gives what PEFT read: rank, alpha, the scale it applies, the adapted modules' count. An adapter
tensor that PEFT does not use, or one it misses, is an error: PEFT itself only warns.
"""
import argparse
import json
from pathlib import Path

from base_model import load_base_model

import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from safetensors import safe_open


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="base model: GGUF file or Hugging Face folder")
    parser.add_argument("--adapter", help="folder with adapter_config.json and adapter_model.safetensors")
    parser.add_argument("--tokens", required=True, help="token ids, separated by commas")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def check_every_tensor_is_used(model, folder):
    loaded = {name.replace(".default.", "."): p for name, p in model.named_parameters() if "lora_" in name}
    with safe_open(Path(folder) / "adapter_model.safetensors", framework="pt") as file:
        stored = {name: file.get_tensor(name) for name in file.keys()}
    if set(loaded) != set(stored):
        raise SystemExit(f"{folder}: PEFT and the file disagree on {sorted(set(loaded) ^ set(stored))[:4]}")
    for name, values in stored.items():
        if not torch.equal(loaded[name].detach(), values.to(loaded[name].dtype)):
            raise SystemExit(f"{folder}: {name} was not loaded as it is stored")


def describe(model):
    layers = [module for module in model.modules() if isinstance(module, LoraLayer)]
    config = model.peft_config["default"]
    return {
        "rank": config.r, "alpha": config.lora_alpha, "modules": len(layers),
        "scales": sorted({layer.scaling["default"] for layer in layers})}


def main():
    arguments = parse()
    torch.set_num_threads(arguments.threads)
    try:
        tokens = [int(part) for part in arguments.tokens.split(",")]
    except ValueError:
        raise SystemExit(f"--tokens: {arguments.tokens!r} is not a list of integers like 1,2,3")
    model, adapter = load_base_model(arguments.model, torch.float32, attention="eager"), None
    if arguments.adapter:
        model = PeftModel.from_pretrained(model, arguments.adapter)
        check_every_tensor_is_used(model, arguments.adapter)
        adapter = describe(model)
    model.eval()
    with torch.no_grad():
        logits = model(torch.tensor([tokens])).logits[0, -1]
    print(json.dumps({"tokens": tokens, "logits": logits.tolist(), "adapter": adapter}))


if __name__ == "__main__":
    main()
