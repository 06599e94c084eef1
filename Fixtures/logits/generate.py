#!/usr/bin/env python3
"""Golden logits of tiny random Llamas, as transformers computes them in float32.

    python Fixtures/logits/generate.py

Rewrites every model folder beside this file, and `manifest.json`. A model folder holds

    config.json, model*.safetensors   a Hugging Face checkpoint
    sequences.json                    {"sequences": [[id, ..], ..]}
    expected.safetensors              "logits.<i>" [tokens, vocabulary] float32, all positions of sequence i

Each sequence is computed alone (no padding, no batch). The manifest gives, for each model, how far
the float32 logits lie from the same model run in float64: the part of a difference that the reference
itself is responsible for. (transformers computes normalisation and softmax in float32 in either run.)
"""
import hashlib
import json
import platform
import shutil
from pathlib import Path

import numpy
import safetensors
import torch
import transformers
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

SCHEMA_VERSION = 1
SEED = 20250101
LENGTHS = [1, 2, 7, 17, 33, 60]
HERE = Path(__file__).resolve().parent

DEFAULT_ROPE = {"rope_type": "default", "rope_theta": 10000.0}
# The original context is shorter than the longest sequence, and the three bands of the rule
# (kept, interpolated, divided by the factor) are all reached by a head dimension of 16 with either base.
LLAMA3_ROPE = {
    "rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0,
    "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 40,
}


def shape(hidden, intermediate, layers, heads, kv_heads, tied, **more):
    values = {
        "vocab_size": 96, "hidden_size": hidden, "intermediate_size": intermediate,
        "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": kv_heads,
        "tie_word_embeddings": tied, "max_position_embeddings": 64, "rms_norm_eps": 1e-5,
        "initializer_range": 0.2, "bos_token_id": 1, "eos_token_id": 2,
        "rope_parameters": dict(DEFAULT_ROPE), "attn_implementation": "eager",
    }
    values.update(more)
    return values


# "stored" is the element type in the file, "shard_bytes" asks for several files with an index, and
# "legacy" writes the keys that most published checkpoints use (rope_theta, rope_scaling, torch_dtype).
MODELS = {
    "gqa-tied": {
        "about": "grouped queries 6/2, three layers, tied head", "config": shape(48, 80, 3, 6, 2, True)},
    "gqa-untied": {
        "about": "grouped queries 6/2, own output head, epsilon 1e-6, odd sizes",
        "config": shape(48, 76, 2, 6, 2, False, vocab_size=101, rms_norm_eps=1e-6)},
    "mha-tied": {
        "about": "as many key/value heads as query heads", "config": shape(32, 64, 2, 4, 4, True)},
    "mqa-wide-head": {
        "about": "one key/value head; head_dim 16 is not hidden_size / heads (10)",
        "config": shape(40, 64, 2, 4, 1, False, head_dim=16)},
    "sharded": {
        "about": "weights spread over several files with an index", "shard_bytes": 40_000,
        "config": shape(32, 64, 3, 4, 2, False)},
    "rope-llama3": {
        "about": "Llama 3 frequency scaling, current configuration keys",
        "config": shape(32, 64, 2, 2, 1, True, rope_parameters=dict(LLAMA3_ROPE))},
    "rope-llama3-legacy": {
        "about": "Llama 3 frequency scaling, rope_theta 500000, older configuration keys", "legacy": True,
        "config": shape(32, 64, 2, 2, 2, False, rope_parameters=dict(LLAMA3_ROPE, rope_theta=500000.0))},
    "rope-500000": {
        "about": "rope_theta 500000, older configuration keys", "legacy": True,
        "config": shape(48, 64, 2, 3, 1, True, rope_parameters=dict(DEFAULT_ROPE, rope_theta=500000.0))},
    "stored-bfloat16": {
        "about": "weights stored in bfloat16, computed in float32", "stored": torch.bfloat16,
        "config": shape(48, 80, 2, 6, 3, True)},
    "stored-float16": {
        "about": "weights stored in float16, computed in float32", "stored": torch.float16,
        "config": shape(32, 48, 2, 4, 2, False)},
}


def fill(model, generator):
    """Random weights in the order of their names: normal with deviation 0.2, norms about one."""
    with torch.no_grad():
        for _, parameter in sorted(model.named_parameters()):
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float32) * 0.2
            parameter.copy_(1 + noise if parameter.dim() == 1 else noise)


def use_legacy_keys(path):
    config = json.loads(path.read_text())
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope.pop("rope_theta")
    config["rope_scaling"] = None if rope["rope_type"] == "default" else rope
    config["torch_dtype"] = config.pop("dtype")
    path.write_text(json.dumps(config, indent=2) + "\n")


def run(folder, dtype, sequences):
    model = LlamaForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation="eager")
    model.eval()
    with torch.no_grad():
        return [model(torch.tensor([ids])).logits[0].to(dtype).contiguous() for ids in sequences]


def make(name, model_spec, seed):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    generator = torch.Generator().manual_seed(seed)
    model = LlamaForCausalLM(LlamaConfig(**model_spec["config"]))
    fill(model, generator)
    model.to(model_spec.get("stored", torch.float32))
    model.save_pretrained(folder, max_shard_size=model_spec.get("shard_bytes", "5GB"))
    (folder / "generation_config.json").unlink(missing_ok=True)
    if model_spec.get("legacy"):
        use_legacy_keys(folder / "config.json")

    vocabulary = model_spec["config"]["vocab_size"]
    sequences = [torch.randint(0, vocabulary, (n,), generator=generator).tolist() for n in LENGTHS]
    (folder / "sequences.json").write_text(json.dumps({"sequences": sequences}) + "\n")
    expected = run(folder, torch.float32, sequences)
    save_file({f"logits.{i}": values for i, values in enumerate(expected)}, folder / "expected.safetensors")
    for path in folder.iterdir():
        path.chmod(0o644)
    exact = run(folder, torch.float64, sequences)
    return {
        "about": model_spec["about"], "seed": seed,
        "largestLogit": max(l.abs().max().item() for l in expected),
        "differenceFromFloat64": max((a.double() - b).abs().max().item() for a, b in zip(expected, exact)),
    }


def digests(root):
    """Size and checksum of every file below `root`, the manifest itself left out."""
    result = {}
    for path in sorted(p for p in root.rglob("*") if p.is_file() and p.name != "manifest.json"):
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        result[str(path.relative_to(root))] = {"bytes": len(content), "sha256": digest}
    return result


def main():
    torch.set_num_threads(1)
    models = {name: make(name, spec, SEED + i) for i, (name, spec) in enumerate(MODELS.items())}
    manifest = {
        "schemaVersion": SCHEMA_VERSION,
        "generator": "Fixtures/logits/generate.py",
        "seed": SEED,
        "versions": {
            "python": platform.python_version(), "torch": torch.__version__,
            "transformers": transformers.__version__, "safetensors": safetensors.__version__,
            "numpy": numpy.__version__},
        "computation": "float32, eager attention, one thread, one sequence at a time",
        "models": models,
        "files": digests(HERE),
    }
    (HERE / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    print(json.dumps(models, indent=2))


if __name__ == "__main__":
    main()
