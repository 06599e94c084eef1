#!/usr/bin/env python3
"""The peer of `contexture benchmark`: the same LoRA fine-tuning step by transformers and PEFT on the CPU.

    python -m venv .venv && .venv/bin/pip install -r Benchmarks/peer/requirements.txt
    .venv/bin/python Benchmarks/peer/peft_lora.py --model MODEL --precision bfloat16 --steps 20 --warmup 3

MODEL is a GGUF file or a Hugging Face folder. A step is: forward, backward, AdamW, on `--batch` sequences of
`--length` random tokens that all carry a label, with LoRA on all seven projections. Adapters are kept in
float32, PEFT's default, unless `--adapter-precision same` is given. One line of JSON goes to standard output:

    tokens_per_second        batch * length / median step time
    step_seconds             every timed step; warmup_seconds: the steps before them
    losses                   of every step, warm-up included
    peak_rss_mb              largest resident set of the process, MB = 10^6 bytes; peak_rss_after_load_mb:
                             the same when the model stands ready
    start_to_first_step_s    from the start of the process to the start of the first step
    start_to_first_loss_s    ... to the end of the first step

Two settings favour the peer and should be given to it in a comparison. A Hugging Face folder loads without
dequantising. And glibc by default returns every large block to the system and faults its pages in again a
moment later, which costs much where page faults are slow (virtual machines): keep them with

    MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=8589934592 MALLOC_TOP_PAD_=268435456
"""
import time

IMPORTED_AT = time.monotonic()

import argparse
import json
import os
import platform
import resource
import statistics

ALL_PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def seconds_since_process_start():
    """From /proc where there is one; elsewhere from the moment this script was read."""
    try:
        with open("/proc/self/stat") as file:
            ticks = int(file.read().rsplit(")", 1)[1].split()[19])
    except OSError:
        return time.monotonic() - IMPORTED_AT
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def peak_rss_mb():
    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="GGUF file or Hugging Face folder")
    parser.add_argument("--precision", choices=["bfloat16", "float32"], default="bfloat16")
    parser.add_argument("--adapter-precision", choices=["float32", "same"], default="float32")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--alpha", type=float, default=32)
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--steps", type=int, default=20, help="timed steps")
    parser.add_argument("--warmup", type=int, default=3, help="steps before the timed ones")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--attention", choices=["sdpa", "eager"], default="sdpa")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--compile", action="store_true", help="torch.compile the model")
    arguments = parser.parse_args()
    for name in ("batch", "length", "rank", "steps", "threads"):
        if getattr(arguments, name) < 1:
            parser.error(f"--{name} must be at least 1")
    return arguments


def main():
    arguments = parse()
    from base_model import dtype_named, load_base_model
    import peft
    import torch
    import transformers

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    base = load_base_model(arguments.model, dtype_named(arguments.precision), arguments.attention)
    base.config.use_cache = False
    model = peft.get_peft_model(
        base,
        peft.LoraConfig(
            task_type="CAUSAL_LM", r=arguments.rank, lora_alpha=arguments.alpha, lora_dropout=0.0,
            bias="none", target_modules=ALL_PROJECTIONS),
        autocast_adapter_dtype=arguments.adapter_precision == "float32")
    model.train()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=arguments.learning_rate)
    step_model = torch.compile(model) if arguments.compile else model
    vocabulary = base.config.vocab_size
    generator = torch.Generator().manual_seed(arguments.seed)
    after_load = peak_rss_mb()

    times, losses, first_start, first_end = [], [], None, None
    for _ in range(arguments.warmup + arguments.steps):
        ids = torch.randint(0, vocabulary, (arguments.batch, arguments.length), generator=generator)
        if first_start is None:
            first_start = seconds_since_process_start()
        began = time.perf_counter()
        loss = step_model(input_ids=ids, labels=ids).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        times.append(time.perf_counter() - began)
        losses.append(loss.item())
        if first_end is None:
            first_end = seconds_since_process_start()

    timed = times[arguments.warmup:]
    print(json.dumps({
        "tokens_per_second": arguments.batch * arguments.length / statistics.median(timed),
        "step_seconds": timed, "warmup_seconds": times[:arguments.warmup], "losses": losses,
        "peak_rss_mb": peak_rss_mb(), "peak_rss_after_load_mb": after_load,
        "start_to_first_step_s": first_start, "start_to_first_loss_s": first_end,
        "trained_parameters": sum(p.numel() for p in trained),
        "adapter_dtype": str(trained[0].dtype).removeprefix("torch."),
        "configuration": {k: v for k, v in vars(arguments).items() if k != "model"},
        "versions": {
            "python": platform.python_version(), "torch": torch.__version__,
            "transformers": transformers.__version__, "peft": peft.__version__},
    }))


if __name__ == "__main__":
    main()
