"""Makes the golden files of the Checkpoint target's tests beside this script, and manifest.json.

    python3 -m venv .venv
    .venv/bin/pip install gguf==0.19.0 numpy==2.4.6 safetensors==0.8.0
    .venv/bin/python Fixtures/checkpoint/generate.py

The same versions give the same bytes. With the base model's file as an argument smollm2-float32.json is made
anew too: the SHA-256 of the float32 bytes of some of its weights, query and key rows in half-split order.
"""

import hashlib
import importlib.metadata
import json
import pathlib
import sys

import gguf
import numpy as np
import safetensors
import safetensors.numpy

SEED = 20250721
HERE = pathlib.Path(__file__).parent
Q = gguf.GGMLQuantizationType

# Offsets of the binary16 fields (scales, minima) within a block of each type.
HALVES = {
    Q.Q4_0: [0], Q.Q4_1: [0, 2], Q.Q5_0: [0], Q.Q5_1: [0, 2], Q.Q8_0: [0],
    Q.Q2_K: [80, 82], Q.Q3_K: [108], Q.Q4_K: [0, 2], Q.Q5_K: [0, 2], Q.Q6_K: [208],
}
# Zero, negative zero, the smallest and largest subnormal, the smallest normal, one, the largest, a negative.
EDGE_HALVES = [0x0000, 0x8000, 0x0001, 0x03FF, 0x0400, 0x3C00, 0x7BFF, 0xB266]


def random_blocks(rng, kind, rows, row_length):
    """Random bytes with sane scales; the first row takes the edge cases of scales and of quants."""
    values, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = rng.integers(0, 256, size=(rows, row_length // values, size), dtype=np.uint8)
    for offset in HALVES[kind]:
        scales = (rng.normal(size=blocks.shape[:2]) * 0.02).astype(np.float16)
        blocks[:, :, offset:offset + 2] = scales[..., None].view(np.uint8)
    flat = blocks.reshape(-1, size)
    if len(flat) > 8:
        flat[0], flat[1] = 0x00, 0xFF
        for offset in HALVES[kind]:
            flat[1, offset:offset + 2] = np.array([0x3555], np.uint16).view(np.uint8)
        edges = range(2, 10)
    else:
        edges = range(len(flat))
    for index, edge in zip(edges, EDGE_HALVES):
        if index < len(flat):
            for offset in HALVES[kind]:
                flat[index, offset:offset + 2] = np.array([edge], np.uint16).view(np.uint8)
    return blocks.reshape(rows, -1)


def quantized(rng):
    writer = gguf.GGUFWriter(HERE / "quantized.gguf", "test")
    expected = {}
    for kind in HALVES:
        values, _ = gguf.GGML_QUANT_SIZES[kind]
        raw = random_blocks(rng, kind, 4, 128 if values == 32 else 1024)
        writer.add_tensor(kind.name, raw, raw_dtype=kind)
        expected[kind.name] = gguf.quants.dequantize(raw, kind)
    # All exponents of both 16-bit formats, with infinities and NaN.
    special = np.array(
        [0, 1, 0x3FF, 0x400, 0x7BFF, 0x7C00, 0x7C01, 0x7E00, 0x8000, 0x8001, 0xFC00, 0xFE00], np.uint16)
    for kind in [Q.F16, Q.BF16]:
        bits = rng.integers(0, 65536, size=(4, 64), dtype=np.uint16)
        bits[0, :len(special)] = special
        raw = bits.view(np.float16) if kind == Q.F16 else bits.view(np.uint8)
        writer.add_tensor(kind.name, raw, raw_dtype=kind)
        expected[kind.name] = (
            bits.view(np.float16).astype(np.float32) if kind == Q.F16
            else gguf.quants.dequantize(raw, kind))
    floats = rng.normal(size=(4, 64)).astype(np.float32)
    writer.add_tensor("F32", floats)
    expected["F32"] = floats
    # numpy has no bfloat16: the library's own rounding of random bits (NaN left out) is the expectation.
    bits = rng.integers(0, 1 << 32, size=(4, 64), dtype=np.uint32)
    bits[0, :6] = [0x3F808000, 0x3F818000, 0x3F807FFF, 0x3F808001, 0x7F7FFFFF, 0x7F800000]
    values = bits.view(np.float32)
    values = np.where(np.isnan(values), np.float32(1), values)
    rounded = gguf.quants.quantize(values, Q.BF16).view(np.uint16)
    half = np.concatenate([floats.ravel(), (rng.normal(size=256) * np.exp2(rng.integers(-26, 18, 256)))])
    half = half.astype(np.float32)
    half[:6] = [65504, 65519.996, 65520, 2.0**-25, 2.0**-24 * 1.5, -np.inf]
    with np.errstate(over="ignore"):
        expected_half = half.astype(np.float16).view(np.uint16)
    expected |= {
        "round.input": values, "round.bfloat16": rounded.astype(np.int32), "round.half.input": half,
        "round.half": expected_half.astype(np.int32)}
    # A quantisation that is known by name but not read.
    writer.add_tensor("IQ4_NL", np.zeros((1, 18), np.uint8), raw_dtype=Q.IQ4_NL)
    finish(writer)
    safetensors.numpy.save_file(expected, HERE / "quantized-expected.safetensors")


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def metadata():
    writer = gguf.GGUFWriter(HERE / "metadata.gguf", "test")
    writer.add_uint8("v.uint8", 255)
    writer.add_int8("v.int8", -128)
    writer.add_uint16("v.uint16", 65535)
    writer.add_int16("v.int16", -32768)
    writer.add_uint32("v.uint32", 4294967295)
    writer.add_int32("v.int32", -2147483648)
    writer.add_uint64("v.uint64", 18446744073709551615)
    writer.add_int64("v.int64", -9223372036854775808)
    writer.add_float32("v.float32", 0.1)
    writer.add_float64("v.float64", 0.1)
    writer.add_bool("v.bool", True)
    writer.add_string("v.string", "Grüße, 世界 🌍")
    writer.add_array("a.strings", ["a", "", "naïve", "\u0120the"])
    writer.add_array("a.integers", [1, -2, 3])
    writer.add_array("a.floats", [0.5, -0.25])
    writer.add_array("a.bools", [True, False])
    writer.add_key_value("a.nested", [[1, 2], [3]], gguf.GGUFValueType.ARRAY)
    writer.add_custom_alignment(64)
    writer.add_tensor("one", np.arange(6, dtype=np.float32).reshape(2, 3))
    writer.add_tensor("two", np.arange(24, dtype=np.float16).reshape(2, 3, 4))
    finish(writer)


def spec(array, dtype, shape):
    """The library's view of an array, which must outlive it."""
    return safetensors.TensorSpec(dtype=dtype, shape=shape, data_ptr=array.ctypes.data, data_len=array.nbytes)


def python_safetensors(rng):
    bits = rng.integers(0, 0x7F80, size=6, dtype=np.uint16)
    arrays = {
        "f64": rng.normal(size=(2, 2)), "f32": rng.normal(size=(3, 2)).astype(np.float32),
        "f16": rng.normal(size=(5,)).astype(np.float16), "i64": np.array([-1, 1 << 62]),
        "i32": np.array([[-7, 7]], np.int32), "u8": np.array([0, 255, 7], np.uint8),
        "bool": np.array([True, False]), "empty": np.zeros((0, 3), np.float32),
        "scalar": np.array(2.5, np.float32),
    }
    entries = {name: spec(array, array.dtype.name, array.shape) for name, array in arrays.items()}
    entries["bf16"] = spec(bits, "bfloat16", (2, 3))
    (HERE / "python.safetensors").write_bytes(
        safetensors.serialize(entries, {"note": "ä \"quoted\" \\ line\n"}))
    expected = {
        "f64": arrays["f64"].tolist(), "f32": arrays["f32"].tolist(),
        "f16": arrays["f16"].astype(np.float32).tolist(),
        "bf16": (bits.astype(np.uint32) << 16).view(np.float32).tolist(),
        "f64AsFloat32": arrays["f64"].astype(np.float32).tolist(),
    }
    (HERE / "python-safetensors.json").write_text(json.dumps(expected, indent=1) + "\n")


CONFIG = {
    "architectures": ["LlamaForCausalLM"], "attention_bias": False, "head_dim": 8, "hidden_act": "silu",
    "hidden_size": 12, "intermediate_size": 20, "max_position_embeddings": 64, "mlp_bias": False,
    "model_type": "llama", "num_attention_heads": 4, "num_hidden_layers": 2, "num_key_value_heads": 2,
    "rms_norm_eps": 1e-05, "rope_parameters": {"rope_theta": 5000.0, "rope_type": "default"},
    "tie_word_embeddings": False, "vocab_size": 16,
}


def to_llama_cpp_order(weight, heads):
    """Half-split rows of each head become interleaved: row j next to row j + d/2."""
    rows = []
    dimension = weight.shape[0] // heads
    for head in range(heads):
        for pair in range(dimension // 2):
            rows += [head * dimension + pair, head * dimension + pair + dimension // 2]
    return weight[rows]


def tiny_llama(rng):
    """The same weights as a Hugging Face folder and as a GGUF file."""
    c = CONFIG
    hidden, inner, d = c["hidden_size"], c["intermediate_size"], c["head_dim"]
    q, kv = c["num_attention_heads"] * d, c["num_key_value_heads"] * d
    shapes = {"model.embed_tokens": (c["vocab_size"], hidden), "model.norm": (hidden,),
              "lm_head": (c["vocab_size"], hidden)}
    names = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
    for n in range(c["num_hidden_layers"]):
        layer = {
            "input_layernorm": ("attn_norm", (hidden,)), "self_attn.q_proj": ("attn_q", (q, hidden)),
            "self_attn.k_proj": ("attn_k", (kv, hidden)), "self_attn.v_proj": ("attn_v", (kv, hidden)),
            "self_attn.o_proj": ("attn_output", (hidden, q)),
            "post_attention_layernorm": ("ffn_norm", (hidden,)), "mlp.gate_proj": ("ffn_gate", (inner, hidden)),
            "mlp.up_proj": ("ffn_up", (inner, hidden)), "mlp.down_proj": ("ffn_down", (hidden, inner))}
        for module, (name, shape) in layer.items():
            shapes[f"model.layers.{n}.{module}"] = shape
            names[f"model.layers.{n}.{module}"] = f"blk.{n}.{name}"
    weights = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    folder = HERE / "tiny-llama"
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(c, indent=2) + "\n")
    safetensors.numpy.save_file(
        {name + ".weight": value for name, value in weights.items()}, folder / "model.safetensors",
        {"format": "pt"})
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "bos_token": {"content": "<s>", "special": True}, "eos_token": "</s>",
        "chat_template": [{"name": "tool_use", "template": "tools"}, {"name": "default", "template": "from settings"}],
    }, indent=2) + "\n")
    (folder / "tokenizer.json").write_text('{"version": "1.0"}\n')

    writer = gguf.GGUFWriter(HERE / "tiny-llama.gguf", "llama")
    writer.add_type("model")
    writer.add_context_length(c["max_position_embeddings"])
    writer.add_embedding_length(hidden)
    writer.add_block_count(c["num_hidden_layers"])
    writer.add_feed_forward_length(inner)
    writer.add_head_count(c["num_attention_heads"])
    writer.add_head_count_kv(c["num_key_value_heads"])
    writer.add_key_length(d)
    writer.add_value_length(d)
    writer.add_rope_dimension_count(d)
    writer.add_rope_freq_base(c["rope_parameters"]["rope_theta"])
    writer.add_layer_norm_rms_eps(c["rms_norm_eps"])
    writer.add_vocab_size(c["vocab_size"])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list([chr(97 + i) for i in range(14)] + ["<s>", "</s>"])
    writer.add_token_types([1] * 14 + [3, 3])
    writer.add_token_merges(["a b", "c d"])
    writer.add_bos_token_id(14)
    writer.add_eos_token_id(15)
    writer.add_add_bos_token(True)
    writer.add_chat_template("from gguf")
    for name, value in weights.items():
        if name.endswith("q_proj"):
            value = to_llama_cpp_order(value, c["num_attention_heads"])
        if name.endswith("k_proj"):
            value = to_llama_cpp_order(value, c["num_key_value_heads"])
        writer.add_tensor(names[name] + ".weight", value)
    finish(writer)


def base_model(path):
    reader = gguf.GGUFReader(path)
    heads = {name: int(reader.fields[f"llama.attention.{key}"].contents()) for name, key in
             [("attn_q", "head_count"), ("attn_k", "head_count_kv")]}
    sums = {}
    for tensor in reader.tensors:
        parts = tensor.name.split(".")
        if parts[0] == "blk" and parts[1] not in ["0", "29"]:
            continue
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        if len(parts) > 2 and parts[2] in heads:
            rows, columns = values.shape
            count = heads[parts[2]]
            values = values.reshape(count, rows // count // 2, 2, columns).swapaxes(1, 2)
        sums[tensor.name] = hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()
    (HERE / "smollm2-float32.json").write_text(json.dumps(sums, indent=1, sort_keys=True) + "\n")


def manifest():
    files = sorted(
        p for p in HERE.rglob("*") if p.is_file() and p.suffix != ".py" and p.name != "manifest.json")
    (HERE / "manifest.json").write_text(json.dumps({
        "schema": 1, "generator": "generate.py", "seed": SEED,
        "versions": {n: importlib.metadata.version(n) for n in ["gguf", "numpy", "safetensors"]},
        "files": {
            str(p.relative_to(HERE)): {"sha256": hashlib.sha256(p.read_bytes()).hexdigest(),
                                       "bytes": p.stat().st_size} for p in files},
    }, indent=2) + "\n")


if __name__ == "__main__":
    generator = np.random.default_rng(SEED)
    quantized(generator)
    metadata()
    python_safetensors(generator)
    tiny_llama(generator)
    if len(sys.argv) > 1:
        base_model(sys.argv[1])
    for path in HERE.rglob("*.safetensors"):
        path.chmod(0o644)
    manifest()
