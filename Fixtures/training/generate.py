#!/usr/bin/env python3
"""Golden ContextLoRA training runs of tiny random Llamas, made by the reference implementation.

    python Fixtures/training/generate.py REFERENCE.py [EXAMPLE_DIR]

REFERENCE.py is the reference implementation (`REFERENCE.py MODEL_DIR SPEC.json OUT_DIR`; it is not kept
here). EXAMPLE_DIR holds its worked example (`model/`, `spec.json`, `expected/`) and becomes the case
`example`: copied as it is, and reproduced here to show that this environment gives the same numbers.

Rewrites, beside this file:

    models/<name>/   config.json, model.safetensors
    cases/<name>/    spec.json                      the reference's specification
                     initial.safetensors            "<module path>.lora_a.weight" [rank, in] and
                                                    "<module path>.lora_b.weight" [out, rank], before
                     final.safetensors              the same, after the last step
                     losses.json                    one entry a step: loss, gradient norm before clipping
                     logits.json                    per task, its first sequence's last position, afterwards
    manifest.json    which model a case uses, provenance, checksums

Each case also runs in float64. Adam divides by the gradient's own size, so an element whose gradient is
nearly zero may move by the learning rate in a direction that rounding decides; the first seed is taken whose
two runs agree far below the tolerance, so that a replay is judged on its arithmetic and not on such luck.
The example's seed is given; the manifest lists its few elements that rounding decides ("unstable": tensor,
flat row-major index, the float32 and the float64 value), for a replay to leave out of its strict comparison.
(transformers computes normalisation and softmax in float32 in either run; everything else is in float64.)
"""
import hashlib
import json
import platform
import runpy
import shutil
import sys
import tempfile
from pathlib import Path

import numpy
import safetensors
import torch
import transformers
from safetensors.torch import load_file
from transformers import LlamaConfig, LlamaForCausalLM

SCHEMA_VERSION = 1
SEED = 20250103
HERE = Path(__file__).resolve().parent
VOCABULARY = 96
# A tenth of the tolerances a replay is held to (1e-4 for parameters, 1e-4 relative for losses).
ALLOWED_PARAMETER_NOISE = 1e-5
ALLOWED_LOSS_NOISE = 1e-5
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]

MODELS = {
    "grouped": {  # tied head, head_dim 8
        "hidden_size": 48, "intermediate_size": 80, "num_hidden_layers": 3,
        "num_attention_heads": 6, "num_key_value_heads": 2, "tie_word_embeddings": True},
    "plain": {  # own output head, head_dim 16 although hidden_size / heads is 8
        "hidden_size": 32, "intermediate_size": 56, "num_hidden_layers": 2, "head_dim": 16,
        "num_attention_heads": 4, "num_key_value_heads": 4, "tie_word_embeddings": False},
}

CHAIN = {"perceive": [], "predict": ["perceive"], "decide": ["predict"]}
DIAMOND = {"scene": [], "agents": ["scene"], "signals": ["scene"], "route": ["agents", "signals"]}
# Written children first, with a task that stands alone: blocks follow the file, phases follow the levels.
UNORDERED = {"last": ["middle"], "alone": [], "middle": ["first"], "first": []}

# "steps" is the number of optimiser steps a task gets. Keys left out of "spec" take the reference's defaults:
# betas 0.9 and 0.999, epsilon 1e-8, no weight decay, one round, and no clipping.
CASES = {
    "chain-refine-all": {
        "model": "plain", "tasks": CHAIN, "steps": 4,
        "spec": {"rank": 6, "alpha": 12, "frozenRatio": 0.0, "prerequisites": "ancestors"}},
    "chain-half": {
        "model": "plain", "tasks": CHAIN, "steps": 4,
        "spec": {"rank": 6, "alpha": 12, "frozenRatio": 0.5, "prerequisites": "ancestors",
                 "weightDecay": 0.01}},
    "chain-frozen": {
        "model": "plain", "tasks": CHAIN, "steps": 4,
        "spec": {"rank": 6, "alpha": 6, "frozenRatio": 1.0, "prerequisites": "ancestors",
                 "weightDecay": 0.1}},
    "chain-half-direct": {
        "model": "grouped", "tasks": CHAIN, "steps": 3,
        "spec": {"rank": 6, "alpha": 3, "frozenRatio": 0.5, "prerequisites": "direct"}},
    "chain-attention-only": {  # blocks of 3 columns: half of 3 rounds up to 2
        "model": "grouped", "tasks": CHAIN, "steps": 5,
        "spec": {"rank": 9, "alpha": 18, "frozenRatio": 0.5, "prerequisites": "ancestors",
                 "targets": ["q_proj", "v_proj"], "weightDecay": 0.01}},
    "diamond-half": {
        "model": "grouped", "tasks": DIAMOND, "steps": 3,
        "spec": {"rank": 8, "alpha": 16, "frozenRatio": 0.5, "prerequisites": "ancestors",
                 "weightDecay": 0.01, "clipNorm": 1.0}},
    "diamond-refine-all-direct": {
        "model": "plain", "tasks": DIAMOND, "steps": 3,
        "spec": {"rank": 8, "alpha": 8, "frozenRatio": 0.0, "prerequisites": "direct", "rounds": 2}},
    "diamond-frozen-direct": {
        "model": "plain", "tasks": DIAMOND, "steps": 4,
        "spec": {"rank": 12, "alpha": 24, "frozenRatio": 1.0, "prerequisites": "direct",
                 "weightDecay": 0.05}},
    "diamond-clipped": {  # the threshold lies far below every gradient norm
        "model": "plain", "tasks": DIAMOND, "steps": 4,
        "spec": {"rank": 8, "alpha": 16, "frozenRatio": 0.25, "prerequisites": "ancestors", "clipNorm": 0.05,
                 "betas": [0.9, 0.95], "epsilon": 1e-6, "weightDecay": 0.01, "rounds": 2}},
    "unordered-unclipped": {  # no clipping at all, a sequence without labels, MLP projections alone
        "model": "plain", "tasks": UNORDERED, "steps": 3, "unlabelled": True,
        "spec": {"rank": 8, "alpha": 4, "frozenRatio": 0.5, "prerequisites": "ancestors", "clipNorm": None,
                 "targets": ["gate_proj", "up_proj", "down_proj"]}},
}


def make_model(name, shape, generator):
    folder = HERE / "models" / name
    config = LlamaConfig(
        vocab_size=VOCABULARY, max_position_embeddings=64, rms_norm_eps=1e-5, initializer_range=0.2,
        bos_token_id=1, eos_token_id=2,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0}, **shape)
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        for _, parameter in sorted(model.named_parameters()):
            noise = torch.randn(parameter.shape, generator=generator) * 0.2
            parameter.copy_(1 + noise if parameter.dim() == 1 else noise)
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)


def make_sample(generator, labelled=True):
    """A random sequence; the labels are the next tokens, the prompt's part of them without a loss."""
    draw = lambda low, high: int(torch.randint(low, high, (1,), generator=generator))
    tokens = torch.randint(0, VOCABULARY, (draw(6, 17) + 1,), generator=generator).tolist()
    prompt = draw(0, len(tokens) - 2) if labelled else len(tokens) - 1
    return {"ids": tokens[:-1], "labels": [-100] * prompt + tokens[prompt + 1:]}


def make_spec(case, seed):
    generator = torch.Generator().manual_seed(seed)
    tasks = []
    for name, parents in case["tasks"].items():
        batches = [[make_sample(generator) for _ in range(2 + step % 2)] for step in range(case["steps"])]
        if case.get("unlabelled"):
            batches[0].append(make_sample(generator, labelled=False))
        tasks.append({"name": name, "parents": parents, "batches": batches})
    fixed = {"learningRate": 2e-3, "targets": ALL, "seed": seed, "dtype": "float32"}
    return {**fixed, **case["spec"], "tasks": tasks}


def run(reference, model, spec, out):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(spec, file)
        file.flush()
        reference(str(model), file.name, str(out))


def distance(left, right):
    """Largest difference of final parameters, absolute; and of losses, relative."""
    a, b = (load_file(folder / "final.safetensors") for folder in (left, right))
    parameters = max((a[name].double() - b[name].double()).abs().max().item() for name in a)
    x, y = (json.loads((folder / "losses.json").read_text()) for folder in (left, right))
    losses = max(abs(p["loss"] - q["loss"]) / abs(q["loss"]) for p, q in zip(x, y, strict=True))
    return parameters, losses


def unstable_elements(left, right):
    """The elements of the final parameters on which two runs differ beyond the allowed noise."""
    a, b = (load_file(folder / "final.safetensors") for folder in (left, right))
    result = []
    for name in sorted(a):
        x, y = a[name].double().flatten(), b[name].double().flatten()
        for index in ((x - y).abs() > ALLOWED_PARAMETER_NOISE).nonzero().flatten().tolist():
            values = {"float32": x[index].item(), "float64": y[index].item()}
            result.append({"tensor": name, "index": index, **values})
    return result


def against_float64(reference, model, spec, case_folder, compare=distance):
    with tempfile.TemporaryDirectory() as scratch:
        run(reference, model, {**spec, "dtype": "float64"}, scratch)
        return compare(case_folder, Path(scratch))


def describe(spec, folder, noise):
    initial, final = (load_file(folder / f"{name}.safetensors") for name in ("initial", "final"))
    losses = json.loads((folder / "losses.json").read_text())
    return {
        "steps": len(losses), "largestGradientNorm": max(entry["gradNorm"] for entry in losses),
        "clippedSteps": sum(entry["gradNorm"] > (spec.get("clipNorm") or float("inf")) for entry in losses),
        "largestMove": max((final[name] - initial[name]).abs().max().item() for name in final),
        "parameterDifferenceFromFloat64": noise[0], "lossDifferenceFromFloat64": noise[1],
    }


def make_case(reference, name, case, first_seed):
    folder, model = HERE / "cases" / name, HERE / "models" / case["model"]
    for seed in range(first_seed, first_seed + 20):
        spec = make_spec(case, seed)
        run(reference, model, spec, folder)
        noise = against_float64(reference, model, spec, folder)
        if noise[0] <= ALLOWED_PARAMETER_NOISE and noise[1] <= ALLOWED_LOSS_NOISE:
            (folder / "spec.json").write_text(json.dumps(spec) + "\n")
            return {"model": case["model"], "seed": seed, **describe(spec, folder, noise)}
    raise SystemExit(f"{name}: no seed of 20 whose float32 and float64 runs agree")


def copy_example(reference, source):
    folder, model = HERE / "cases" / "example", HERE / "models" / "example"
    folder.mkdir(parents=True)
    model.mkdir(parents=True)
    for path in (source / "model").glob("*.*"):
        if path.name in ("config.json", "model.safetensors"):
            shutil.copyfile(path, model / path.name)
    shutil.copyfile(source / "spec.json", folder / "spec.json")
    for path in (source / "expected").iterdir():
        shutil.copyfile(path, folder / path.name)
    spec = json.loads((folder / "spec.json").read_text())
    with tempfile.TemporaryDirectory() as scratch:
        run(reference, model, spec, scratch)
        repeated = distance(Path(scratch), folder)
    return {
        "model": "example", "seed": spec["seed"],
        **describe(spec, folder, against_float64(reference, model, spec, folder)),
        "parameterDifferenceWhenRepeated": repeated[0], "lossDifferenceWhenRepeated": repeated[1],
        "unstable": against_float64(reference, model, spec, folder, compare=unstable_elements),
    }


def digests(root):
    """Size and checksum of every file below `root`, the manifest itself left out."""
    result = {}
    for path in sorted(p for p in root.rglob("*") if p.is_file() and p.name != "manifest.json"):
        path.chmod(0o644)
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        result[str(path.relative_to(root))] = {"bytes": len(content), "sha256": digest}
    return result


def main(reference_path, example=None):
    torch.set_num_threads(1)
    reference = runpy.run_path(reference_path)["main"]
    for part in ("models", "cases"):
        shutil.rmtree(HERE / part, ignore_errors=True)
    generator = torch.Generator().manual_seed(SEED)
    for name, shape in MODELS.items():
        make_model(name, shape, generator)
    cases = {}
    for index, (name, case) in enumerate(CASES.items()):
        cases[name] = make_case(reference, name, case, 100 * (index + 1))
        print(name, json.dumps(cases[name]), flush=True)
    if example:
        cases["example"] = copy_example(reference, Path(example))
        print("example", json.dumps(cases["example"]))
    manifest = {
        "schemaVersion": SCHEMA_VERSION, "generator": "Fixtures/training/generate.py", "seed": SEED,
        "referenceSha256": hashlib.sha256(Path(reference_path).read_bytes()).hexdigest(),
        "versions": {
            "python": platform.python_version(), "torch": torch.__version__,
            "transformers": transformers.__version__, "safetensors": safetensors.__version__,
            "numpy": numpy.__version__},
        "computation": "float32, eager attention, one thread, one sequence at a time",
        "cases": cases, "files": digests(HERE),
    }
    (HERE / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
