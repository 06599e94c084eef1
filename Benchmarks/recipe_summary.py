#!/usr/bin/env python3
"""The runs of recipe.sh as Markdown tables: python3 recipe_summary.py DIR/FORMAT-SEED ...

Reads FORMAT-SEED/metrics.jsonl and FORMAT-SEED.json, the report of `contexture evaluate --format json`.
"""
import json
import statistics
import sys
from pathlib import Path


def row(cells):
    return "| " + " | ".join(map(str, cells)) + " |"


def read(folder):
    report = json.loads(Path(f"{folder}.json").read_text())
    steps, tokens, seconds = {}, 0, 0.0
    for line in (folder / "metrics.jsonl").read_text().splitlines():
        record = json.loads(line)
        steps[record["task"]] = steps.get(record["task"], 0) + 1
        tokens += record["tokens"]
        seconds += record["seconds"] + record.get("validation", {}).get("seconds", 0)
    return {"name": folder.name, "format": folder.name.rpartition("-")[0], "report": report, "steps": steps,
            "tokens": tokens, "minutes": seconds / 60}


def share(correct, count):
    return 100 * correct / count


def accuracies(run):
    """Each cell's value in percent: by task with gold parents and chained, then every task right."""
    values = []
    for task in run["report"]["tasks"]:
        values.append(share(task["gold"]["correct"], task["gold"]["count"]))
        values.append(share(task["chained"]["correct"], task["chained"]["count"]))
    return values + [share(run["report"]["allRight"], run["report"]["episodes"])]


def main():
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        raise SystemExit(2)
    runs = [read(Path(folder)) for folder in sys.argv[1:]]
    tasks = [task["task"] for task in runs[0]["report"]["tasks"]]
    for run in runs:
        if [task["task"] for task in run["report"]["tasks"]] != tasks:
            print(f"recipe_summary: {run['name']} has other tasks than {runs[0]['name']}", file=sys.stderr)
            raise SystemExit(2)
    episodes = sorted({run["report"]["episodes"] for run in runs})
    print(f"Accuracies in % on {' or '.join(map(str, episodes))} test episodes, gold / chained: with the recorded and "
          "with the model's own answers of the parents. Minutes are of training and validation.\n")
    print(row(["run"] + tasks + ["every task right", "steps (" + ", ".join(tasks) + ")", "tokens", "minutes"]))
    print("|---" * (len(tasks) + 5) + "|")
    for run in runs:
        values = accuracies(run)
        pairs = [f"{values[2 * i]:.0f} / {values[2 * i + 1]:.0f}" for i in range(len(tasks))]
        print(row([run["name"]] + pairs + [
            f"{values[-1]:.0f}", ", ".join(str(run["steps"].get(task, 0)) for task in tasks), f"{run['tokens']:,}",
            f"{run['minutes']:.1f}"]))
    print("\n" + row(["format", "runs", ""] + tasks + ["every task right", "tokens", "minutes"]))
    print("|---" * (len(tasks) + 6) + "|")
    for name in dict.fromkeys(run["format"] for run in runs):
        group = [run for run in runs if run["format"] == name]
        columns = list(zip(*map(accuracies, group)))
        for label, reduce in [("mean", statistics.mean), ("min", min)]:
            values = [reduce(column) for column in columns]
            pairs = [f"{values[2 * i]:.1f} / {values[2 * i + 1]:.1f}" for i in range(len(tasks))]
            print(row([name, len(group), label] + pairs + [
                f"{values[-1]:.1f}", f"{reduce([run['tokens'] for run in group]):,.0f}",
                f"{reduce([run['minutes'] for run in group]):.1f}"]))
    print()


if __name__ == "__main__":
    main()
