#!/usr/bin/env python3
"""Golden values of SmolLM2-135M-Instruct, dequantised from its GGUF file, computed in float32.

    python Fixtures/smollm2/generate.py MODEL.gguf

Rewrites, beside this file:

    prompts.json    [{"name", "text", "ids"}, ..]; texts are chat-formatted where "chat" is true
    logits.json     {"sampledIds": [..256 ids..], "prompts": [{"name", "argmax", "margin",
                     "topIds", "topLogits", "sampledLogits"}, ..]}, all of the last position;
                     "margin" is the best logit minus the second best
    scores.json     [{"name", "prompt", "completion", "promptIds", "completionIds",
                     "logProbabilities", "sum"}, ..]; natural logarithms, one for each completion id
    manifest.json   provenance and checksums

The weights are read twice, by transformers' own GGUF loader and by the few lines below, and must agree
bit for bit before anything is written. "differenceFromFloat64" in the manifest is the largest difference of a
top logit from the same model in float64 (normalisation and softmax stay in float32 in either run).
"""
import hashlib
import json
import platform
import sys
from pathlib import Path

import gguf
import numpy
import tokenizers
import torch
import transformers
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers
from transformers import LlamaForCausalLM

SCHEMA_VERSION = 1
SEED = 20250102
TOP = 32
SAMPLED = 256
HERE = Path(__file__).resolve().parent

SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"  # the template's default
# (name, user turn or raw text, system turn). A system turn of None means raw text without a template.
PROMPTS = [
    ("capital", "What is the capital of France?", SYSTEM),
    ("sky", "Why is the sky blue?", SYSTEM),
    ("sum", "What is 17 + 25?", SYSTEM),
    ("python", "Write a Python function that reverses a string.", SYSTEM),
    ("haiku", "Write a haiku about autumn rain.", SYSTEM),
    ("list", "Name three primary colours.", SYSTEM),
    ("translate", "Translate to Spanish: Good morning, my friend.", SYSTEM),
    ("letter", "Which is heavier? A) feather B) hammer\nAnswer with a letter.", "Answer with one letter."),
    ("traffic", "The light ahead turns red; a cyclist waits at the kerb.\n"
     "A: brake gently. B: speed up. C: turn left.", "You drive a car. Reply with A, B or C."),
    ("short-chat", "Hi!", "Be brief."),
    ("yes-no", "Is ice colder than steam? Reply yes or no.", "Be brief."),
    ("units", "Convert 3.5 km to metres.", "Be brief."),
    ("story", "Once upon a time,", None),
    ("fox", "The quick brown fox jumps over the lazy", None),
    ("count", "1, 2, 3, 4, 5, 6, 7,", None),
    ("fibonacci", "def fibonacci(n):\n    if n < 2:\n        return n\n    return", None),
    ("c-loop", "for (int i = 0; i < 10; i++) {\n    printf(\"%d\\n\", i);\n", None),
    ("json", "{\"name\": \"Ada\", \"born\": 1815, \"field\":", None),
    ("date", "World War II ended in the year 19", None),
    ("accents", "Le café est très bon, mais le thé est", None),
]
SCORES = [
    ("paris", "The capital of France is", " Paris."),
    ("berlin", "The capital of France is", " Berlin."),
    ("water", "Water is made of hydrogen and", " oxygen"),
    ("code", "import numpy as", " np\n\nx = np.array([1, 2, 3])"),
    ("sum", "2 + 2 =", " 4"),
    ("chat", ("What colour is a ripe banana?", "Be brief."), "Yellow.<|im_end|>"),
]


def chat(user, system):
    return (f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n{user}<|im_end|>\n"
            "<|im_start|>assistant\n")


def tokenizer_of(reader):
    """The file's byte-level BPE; digits stand alone, the rest is split as GPT-2 does."""
    value = lambda key: reader.fields[f"tokenizer.ggml.{key}"].contents()
    if (value("model"), value("pre")) != ("gpt2", "smollm"):
        raise SystemExit("this generator knows the SmolLM tokenizer alone")
    tokens, kinds = value("tokens"), value("token_type")
    merges = [tuple(merge.split(" ", 1)) for merge in value("merges")]
    result = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges))
    result.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    control = [AddedToken(t, special=True, normalized=False) for t, kind in zip(tokens, kinds) if kind == 3]
    result.add_special_tokens(control)
    return result


def dequantised(tensor):
    """Q4_1, Q8_0 and F32 from their block layouts, independent of any library's dequantiser."""
    shape = tuple(int(n) for n in reversed(tensor.shape))
    kind, raw = tensor.tensor_type.name, numpy.ascontiguousarray(tensor.data).view(numpy.uint8).reshape(-1)
    if kind == "F32":
        return raw.view(numpy.float32).reshape(shape)
    if kind == "Q8_0":  # float16 scale, 32 signed bytes
        blocks = raw.reshape(-1, 34)
        scale = blocks[:, :2].copy().view(numpy.float16).astype(numpy.float32)
        return (scale * blocks[:, 2:].view(numpy.int8).astype(numpy.float32)).reshape(shape)
    if kind == "Q4_1":  # float16 scale and minimum; low nibbles are elements 0..15, high 16..31
        blocks = raw.reshape(-1, 20)
        header = blocks[:, :4].copy().view(numpy.float16).astype(numpy.float32)
        nibbles = numpy.concatenate([blocks[:, 4:] & 15, blocks[:, 4:] >> 4], axis=1).astype(numpy.float32)
        return (header[:, :1] * nibbles + header[:, 1:]).reshape(shape)
    raise SystemExit(f"{tensor.name}: {kind} is not expected in this file")


def unpermuted(weight, heads):
    """GGUF interleaves the two halves of each head (pairs are neighbours); transformers keeps them apart."""
    rows, columns = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


NAMES = {
    "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}
OUTER_NAMES = {"token_embd": "embed_tokens", "output_norm": "norm"}


def check_weights(reader, model):
    ours = {}
    for tensor in reader.tensors:
        values, parts = dequantised(tensor), tensor.name.split(".")
        if parts[0] == "blk":
            heads = {"attn_q": model.config.num_attention_heads, "attn_k": model.config.num_key_value_heads}
            if parts[2] in heads:
                values = unpermuted(values, heads[parts[2]])
            ours[f"model.layers.{parts[1]}.{NAMES[parts[2]]}.weight"] = values
        else:
            ours[f"model.{OUTER_NAMES[parts[0]]}.weight"] = values
    theirs = dict(model.named_parameters())  # a tied head appears once, as the embedding
    if set(ours) != set(theirs):
        raise SystemExit(f"tensors differ: {sorted(set(ours) ^ set(theirs))}")
    for name, values in ours.items():
        if not numpy.array_equal(values, theirs[name].detach().numpy()):
            raise SystemExit(f"{name}: the two dequantisations differ")


def last_logits(model, ids):
    return model(torch.tensor([ids])).logits[0, -1]


def rounded(values):
    return [float(f"{value:.8g}") for value in values]


def main(path):
    torch.set_num_threads(1)
    path = Path(path)
    reader = gguf.GGUFReader(path)
    tokenizer = tokenizer_of(reader)
    encode = lambda text: tokenizer.encode(text, add_special_tokens=False).ids
    model = LlamaForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32, attn_implementation="eager").eval()
    check_weights(reader, model)

    generator = torch.Generator().manual_seed(SEED)
    sampled = sorted(torch.randperm(model.config.vocab_size, generator=generator)[:SAMPLED].tolist())
    prompts, logits, scores = [], [], []
    with torch.no_grad():
        for name, text, system in PROMPTS:
            full = text if system is None else chat(text, system)
            ids = encode(full)
            values = last_logits(model, ids)
            top = torch.topk(values, TOP)
            prompts.append({"name": name, "chat": system is not None, "text": full, "ids": ids})
            logits.append({
                "name": name, "argmax": int(values.argmax()), "margin": float(top.values[0] - top.values[1]),
                "topIds": top.indices.tolist(), "topLogits": rounded(top.values.tolist()),
                "sampledLogits": rounded(values[sampled].tolist())})
        for name, prompt, completion in SCORES:
            text = prompt if isinstance(prompt, str) else chat(*prompt)
            before, after = encode(text), encode(completion)
            every = model(torch.tensor([before + after])).logits[0].double().log_softmax(-1)
            parts = [float(every[len(before) + i - 1, token]) for i, token in enumerate(after)]
            scores.append({
                "name": name, "prompt": text, "completion": completion, "promptIds": before,
                "completionIds": after, "logProbabilities": rounded(parts), "sum": rounded([sum(parts)])[0]})
        model.double()
        difference = 0.0
        for prompt, golden in zip(prompts, logits):
            exact = last_logits(model, prompt["ids"])[golden["topIds"]]
            ours = torch.tensor(golden["topLogits"]).double()
            difference = max(difference, (exact - ours).abs().max().item())

    outputs = {
        "prompts.json": prompts,
        "logits.json": {"sampledIds": sampled, "prompts": logits},
        "scores.json": scores,
    }
    for name, value in outputs.items():
        (HERE / name).write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")
    digest = lambda file: {
        "bytes": file.stat().st_size, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    manifest = {
        "schemaVersion": SCHEMA_VERSION, "generator": "Fixtures/smollm2/generate.py", "seed": SEED,
        "model": {"file": path.name, "license": "Apache-2.0", **digest(path)},
        "versions": {
            "python": platform.python_version(), "torch": torch.__version__,
            "transformers": transformers.__version__, "tokenizers": tokenizers.__version__,
            "numpy": numpy.__version__},
        "computation": "dequantised to float32, eager attention, one thread, one prompt at a time",
        "differenceFromFloat64": difference,
        "files": {name: digest(HERE / name) for name in ["generate.py", *outputs]},
    }
    (HERE / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    for p, l in zip(prompts, logits):
        print(f"{p['name']:12} {len(p['ids']):3} tokens  margin {l['margin']:.3f}  "
              f"{tokenizer.decode([l['argmax']], skip_special_tokens=False)!r}")
    print("difference from float64:", difference)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
