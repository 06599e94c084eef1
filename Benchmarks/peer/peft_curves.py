#!/usr/bin/env python3
"""Learning curves of two tasks trained one after the other by transformers and PEFT, to compare number formats.

    python -m venv .venv && .venv/bin/pip install -r Benchmarks/peer/requirements.txt
    .venv/bin/python Benchmarks/peer/peft_curves.py --model models/smollm2-135m/model.gguf \\
        --data data/iov/train.jsonl --precision bfloat16 --out runs/peft-bfloat16-0 --verify-with contexture

Stage 1 trains a LoRA on `perceive`, which is then frozen but stays active. Stage 2 trains a second LoRA beside it on
`predict`, whose prompt contains the recorded answer of `perceive`. This is what Contexture does with the columns of two
tasks. Base weights and activations are in `--precision`; the adapters, their gradients and AdamW are in float32.

The prompts are those of Examples/iov.yaml in SmolLM2's chat template. `--verify-with PROGRAM` compares the tokens of
the first episodes with those of `PROGRAM prompt Examples/iov.yaml --format json` and stops if they differ. Samples are
visited in Contexture's order of the same seed. The first values of A are PEFT's own, so curves of the same seed are not
expected to agree step by step.

OUT/metrics.jsonl gets one line per optimiser step, in the fields of Contexture's run folder that apply.
"""
import argparse
import json
import math
import subprocess
import time
from pathlib import Path

ALL_PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
INSTRUCTIONS = {
    "perceive": "Name the hazard, the agent in our lane.", "predict": "Say what the hazard does next."}
INPUTS = {"perceive": "scene", "predict": "motion"}
PARENTS = {"perceive": [], "predict": ["perceive"]}
MASK = (1 << 64) - 1
PHASE_STRIDE = 0x9E3779B97F4A7C15


class SplitMix64:
    def __init__(self, state):
        self.state = state

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        mixed = self.state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & MASK
        return mixed ^ (mixed >> 31)


class SeededGenerator:
    """Sources/SeededRandom/SeededGenerator.swift: xoshiro256** seeded by SplitMix64."""

    def __init__(self, seed, stream):
        source = SplitMix64(seed ^ (SplitMix64(stream).next() if stream else 0))
        self.state = [source.next() for _ in range(4)]

    def next(self):
        def rotated(value, count):
            return ((value << count) | (value >> (64 - count))) & MASK

        s = self.state
        result = (rotated((s[1] * 5) & MASK, 7) * 9) & MASK
        shifted = (s[1] << 17) & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= shifted
        s[3] = rotated(s[3], 45)
        return result

    def below(self, bound):
        product = self.next() * bound
        if product & MASK < bound:
            while product & MASK < (1 << 64) % bound:
                product = self.next() * bound
        return product >> 64


def epoch_order(count, seed, epoch):
    """Sources/Datasets/EpochOrder.swift."""
    generator = SeededGenerator(seed, epoch + 1)
    order = list(range(count))
    for last in range(count - 1, 0, -1):
        other = generator.below(last + 1)
        order[last], order[other] = order[other], order[last]
    return order


def learning_rate(step, total, peak, warmup=0.05, minimum=0.1):
    """Linear warm-up, then a half cosine to a tenth: Contexture's `schedule: cosine`."""
    rising = int(warmup * total + 0.5)
    if step <= rising:
        return peak * step / rising
    progress = (step - rising - 1) / max(1, total - rising - 1)
    return peak * (minimum + (1 - minimum) * 0.5 * (1 + math.cos(math.pi * min(1, progress))))


def answer(episode, task):
    return episode["tasks"][task]["options"][episode["tasks"][task]["answer"]]


def rendered(episode, task):
    lines = [INSTRUCTIONS[task]]
    lines += [f"{parent}: {answer(episode, parent)}" for parent in PARENTS[task]]
    lines.append(f"{INPUTS[task]}: {episode['inputs'][INPUTS[task]]}")
    lines.append(episode["tasks"][task]["question"])
    lines += [f"{chr(65 + i)}. {text}" for i, text in enumerate(episode["tasks"][task]["options"])]
    user = "\n".join(lines)
    prompt = f"<|im_start|>system\n<|im_end|>\n<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n"
    return prompt, answer(episode, task) + "<|im_end|>"


def tokens(tokenizer, episode, task):
    return [tokenizer.encode(text, add_special_tokens=False) for text in rendered(episode, task)]


def verify(arguments, tokenizer, episodes):
    for task in INSTRUCTIONS:
        for number in range(1, 6):
            report = json.loads(subprocess.run(
                [arguments.verify_with, "prompt", arguments.workflow, "--task", task, "--number", str(number),
                 "--episode", arguments.data, "--format", "json"], check=True, capture_output=True).stdout)
            theirs = tokens(tokenizer, episodes[number - 1], task)
            if theirs != [report["promptTokens"], report["replyTokens"]]:
                raise SystemExit(f"{arguments.data}: episode {number}, {task}: the tokens differ\n{theirs}\n{report}")
    print("tokens of 5 episodes of each task agree", flush=True)


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="GGUF file; its folder's tokenizer is not read")
    parser.add_argument("--data", required=True, help="train.jsonl of `contexture data make iov`")
    parser.add_argument("--workflow", default="Examples/iov.yaml")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--precision", choices=["bfloat16", "float32"], required=True)
    parser.add_argument("--steps", type=int, nargs=2, default=[60, 120], metavar=("PERCEIVE", "PREDICT"))
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--scale", type=float, default=2)
    parser.add_argument("--learning-rate", type=float, default=1.5e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--early", action="store_true",
                        help="end predict where the mean loss of ten steps is below 0.1 after step 20")
    parser.add_argument("--verify-with", metavar="PROGRAM")
    parser.add_argument("--verify-only", action="store_true", help="train nothing")
    arguments = parser.parse_args()
    if min(*arguments.steps, arguments.batch, arguments.rank, arguments.threads) < 1:
        parser.error("--steps, --batch, --rank and --threads must be at least 1")
    if arguments.seed < 0:
        parser.error("--seed must not be negative")
    return arguments


def main():
    arguments = parse()
    from base_model import dtype_named, load_base_model
    import torch
    from transformers import AutoTokenizer

    model_path = Path(arguments.model)
    tokenizer = AutoTokenizer.from_pretrained(model_path.parent, gguf_file=model_path.name)
    with open(arguments.data) as file:
        episodes = [json.loads(line) for line in file]
    if arguments.verify_with:
        verify(arguments, tokenizer, episodes)
    if arguments.verify_only:
        return

    import peft

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    configuration = peft.LoraConfig(
        task_type="CAUSAL_LM", r=arguments.rank, lora_alpha=arguments.scale * arguments.rank, lora_dropout=0.0,
        bias="none", target_modules=ALL_PROJECTIONS)
    base = load_base_model(arguments.model, dtype_named(arguments.precision))
    base.config.use_cache = False
    model = peft.get_peft_model(base, configuration, adapter_name="perceive")
    model.add_adapter("predict", configuration)
    model.train()
    arguments.out.mkdir(parents=True, exist_ok=True)
    total_step = 0
    with open(arguments.out / "metrics.jsonl", "w") as metrics:
        for phase, (task, steps) in enumerate(zip(INSTRUCTIONS, arguments.steps)):
            model.base_model.set_adapter(list(INSTRUCTIONS)[:phase + 1])
            for name, parameter in model.named_parameters():
                parameter.requires_grad = f".{task}.weight" in name
            trained = [p for p in model.parameters() if p.requires_grad]
            if not trained or {p.dtype for p in trained} != {torch.float32}:
                raise SystemExit(f"{task}: the trained parameters are not in float32")
            optimizer = torch.optim.AdamW(trained, lr=0, betas=(0.9, 0.999), eps=1e-8, weight_decay=0)
            seed = (arguments.seed + phase * PHASE_STRIDE) & MASK
            order, recent = [], []
            epoch = 0
            for step in range(1, steps + 1):
                began = time.perf_counter()
                if not order:
                    order, epoch = epoch_order(len(episodes), seed, epoch), epoch + 1
                samples, order = order[:arguments.batch], order[arguments.batch:]
                pairs = [tokens(tokenizer, episodes[sample], task) for sample in samples]
                length = max(len(prompt) + len(reply) for prompt, reply in pairs)
                ids = torch.zeros(len(pairs), length, dtype=torch.long)
                mask = torch.zeros_like(ids)
                labels = torch.full_like(ids, -100)
                for row, (prompt, reply) in enumerate(pairs):
                    end = len(prompt) + len(reply)
                    ids[row, :end] = torch.tensor(prompt + reply)
                    mask[row, :end] = 1
                    labels[row, len(prompt):end] = torch.tensor(reply)
                rate = learning_rate(step, steps, arguments.learning_rate)
                optimizer.param_groups[0]["lr"] = rate
                loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
                loss.backward()
                norm = torch.nn.utils.clip_grad_norm_(trained, 1.0)
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                total_step += 1
                metrics.write(json.dumps({
                    "phase": phase, "round": 1, "task": task, "step": step, "totalStep": total_step,
                    "loss": loss.item(), "gradientNorm": norm.item(), "learningRate": rate,
                    "tokens": int(mask.sum()), "targets": int((labels >= 0).sum()),
                    "seconds": time.perf_counter() - began}) + "\n")
                metrics.flush()
                recent = (recent + [loss.item()])[-10:]
                if arguments.early and phase == 1 and step > 20 and sum(recent) / 10 < 0.1:
                    break
            print(f"{task}: mean loss of the last ten steps {sum(recent) / len(recent):.4f}", flush=True)


if __name__ == "__main__":
    main()
