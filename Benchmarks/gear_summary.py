#!/usr/bin/env python3
"""Compares the runs that gear-real.sh or gear-accuracy.sh made: python3 gear_summary.py WORK RECORD.jsonl [RUN ...]

A step's time is the mean of a phase's steps but the first, which also fills the pipeline; a phase of one step has
that one. Predicted is the plan's time of a step in the steady state. C_T and C_F are the seconds of a step in which
the busiest device of each group computes.
"""
import json
import os
import pathlib
import statistics
import sys

TITLES = ["contextgear", "replicas", "pipedream", "uniform", "gpipe", "memory", "single"]


def machine():
    """The processor's name, its cores, its vector instructions, and which of them the matrix library is limited to."""
    fields = {}
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    flags = fields.get("flags", "").split()
    found = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in flags]
    name = fields.get("model name", "unknown processor")
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA")
    return (f"{name}, {os.cpu_count()} cores, {' '.join(found) or 'neither AVX2 nor AVX-512'}"
            + (f", oneDNN limited to {limit}" if limit else ""))


def phases(work, schedule):
    plan = json.loads((work / f"{schedule}.json").read_text())
    steps = {}
    for line in (work / schedule / "metrics.jsonl").read_text().splitlines():
        record = json.loads(line)
        steps.setdefault(record["task"], []).append(record["seconds"])
    bytes_sent, busy = {}, {}
    for line in (work / schedule / "figures.jsonl").read_text().splitlines():
        row = json.loads(line)
        sent = bytes_sent.setdefault(row["task"], [0, 0])
        sent[0] += row["plannedBytes"]
        sent[1] += row["measuredBytes"]
        group = busy.setdefault(row["task"], {}).setdefault("D_t" if row["trains"] else "D_f", [])
        group.append([(1 - row[kind + "Idle"]) * row[kind + "Step"] for kind in ("planned", "measured")])
    for phase in plan["phases"]:
        task = phase["workload"]["trained"]["task"]
        seconds = steps[task]
        pipelines = phase["plan"]["pipelines"]
        groups = {name: [max(times) for times in zip(*group)] for name, group in busy.get(task, {}).items()}
        yield {
            "schedule": schedule, "task": task, "steps": len(seconds), "microBatch": pipelines[0]["microBatch"],
            "replicas": len(pipelines),
            "groups": [sum(len(part[group]) for part in pipelines) for group in ("trained", "forward")],
            "computing": groups, "machine": machine(),
            "settings": sorted({device["measured"].get("measured", {}).get("settings", "") for device in
                                plan["cluster"]["devices"] if "measured" in device}),
            "predicted": phase["stepTime"], "measured": statistics.mean(seconds[1:] or seconds),
            "plannedBytes": bytes_sent.get(task, [0, 0])[0], "measuredBytes": bytes_sent.get(task, [0, 0])[1],
        }


def main(work, record, titles):
    rows = [row for schedule in titles if (work / schedule).exists() for row in phases(work, schedule)]
    with open(record, "a") as lines:
        for row in rows:
            lines.write(json.dumps(row, sort_keys=True) + "\n")
    print(f"{'schedule':13} {'task':9} {'k':>2} {'pipes':>5} {'D_t+D_f':>7} {'predicted':>10} {'measured':>9} {'error %':>8} "
          f"{'sent kB: plan':>14} {'measured':>9}")
    for row in rows:
        error = 100 * (row["measured"] / row["predicted"] - 1)
        print(f"{row['schedule']:13} {row['task']:9} {row['microBatch']:2} {row['replicas']:5} "
              f"{row['groups'][0]:>5}+{row['groups'][1]} {row['predicted']:9.2f}s {row['measured']:8.2f}s {error:8.1f} "
              f"{row['plannedBytes'] / 1000:14.1f} {row['measuredBytes'] / 1000:9.1f}")
    late = [row for row in rows if row["steps"] > 1]
    errors = [abs(row["measured"] / row["predicted"] - 1) for row in late]
    if errors:
        print(f"predicted against measured, phases of more than one step: median {100 * statistics.median(errors):.1f} %, "
              f"worst {100 * max(errors):.1f} %")
    for group, name in (("D_t", "C_T"), ("D_f", "C_F")):
        errors = [abs(row["computing"][group][1] / row["computing"][group][0] - 1) for row in late
                  if group in row["computing"]]
        if errors:
            print(f"{name}, computing of the busiest device: median {100 * statistics.median(errors):.1f} %, "
                  f"worst {100 * max(errors):.1f} %")
    for task in dict.fromkeys(row["task"] for row in late):
        times = {row["schedule"]: row["measured"] for row in late if row["task"] == task}
        # With replicas or without, ContextGear is one side and the baselines are the other.
        replicated = times.pop("replicas", None)
        others = {name: time for name, time in times.items() if name != "contextgear"}
        if "contextgear" in times and others:
            best = min(others, key=others.get)
            print(f"{task}: contextgear {times['contextgear']:.2f} s, best baseline {best} {others[best]:.2f} s, "
                  f"saving {100 * (1 - times['contextgear'] / others[best]):.1f} %"
                  + (f", with replicas allowed {100 * (1 - replicated / others[best]):.1f} %" if replicated else ""))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3:] or TITLES)
