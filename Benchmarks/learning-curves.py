#!/usr/bin/env python3
"""Learning curves of runs, by group: a picture, and the step at which each run leaves its plateau.

    Benchmarks/learning-curves.py --tasks predict decide --svg curves.svg \\
        --group float32 runs/float32-0 runs/float32-1 --group bfloat16 runs/bfloat16-0 runs/bfloat16-1

A run is a folder with metrics.jsonl, or such a file. The picture has one panel per task, a thin line per run (mean
loss of ten steps) and a thick line per group: the mean of its runs, where a run that has ended keeps its last value.
The table goes to standard output as Markdown. Only round 1 counts. Nothing but Python 3 is needed.
"""
import argparse
import html
import json
import statistics
import sys
from pathlib import Path

WINDOW = 10
DEFINITION = (
    "A task's plateau level is the median, over all runs, of a run's mean loss in steps 21 to 30, when the fall of the "
    "first steps is over. A run leaves the plateau at the first step from 10 on at which the mean loss of the last ten "
    "steps is below half of that level. The threshold is the same for all runs of a task.")
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00"]
PANEL, HEIGHT, LEFT, TOP, BOTTOM, GAP = 460, 270, 62, 64, 48, 24


def fail(message):
    print(f"learning-curves: {message}", file=sys.stderr)
    raise SystemExit(2)


def read_run(path):
    """By task, the loss of each step of round 1, in order."""
    file = path / "metrics.jsonl" if path.is_dir() else path
    if not file.is_file():
        fail(f"{file}: no such file; give run folders")
    losses = {}
    lines = file.read_text().splitlines()
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
            if record["round"] == 1:
                # A repeated step replaces the earlier one.
                losses.setdefault(record["task"], {})[int(record["step"])] = float(record["loss"])
        except (ValueError, KeyError, TypeError) as error:
            if number == len(lines):
                continue  # A run in progress may be writing its last line.
            fail(f"{file}:{number}: not a line of metrics: {error!r}")
    return {task: [steps[step] for step in sorted(steps)] for task, steps in losses.items()}


def moving_mean(losses):
    """Mean loss of ten steps; the first value is that of step 10."""
    return [sum(losses[i - WINDOW:i]) / WINDOW for i in range(WINDOW, len(losses) + 1)]


def plateau_level(runs, task):
    levels = [statistics.mean(run[task][20:30]) for run in runs if len(run.get(task, [])) >= 30]
    return statistics.median(levels) if levels else None


def exit_step(losses, threshold):
    return next((i + WINDOW for i, mean in enumerate(moving_mean(losses)) if mean < threshold), None)


def step_text(losses, threshold):
    if not losses:
        return "not run"
    step = exit_step(losses, threshold)
    return f"not left in {len(losses)}" if step is None else str(step)


def table(groups, task, level):
    """Markdown rows of one task."""
    threshold, means = level / 2, {}
    lines = [f"**{task}**: plateau level {level:.3f}, threshold {threshold:.3f} nats per token", "",
             "| group | step at which each run leaves the plateau | left | mean | standard deviation | range |",
             "|---|---|---|---|---|---|"]
    for label, runs in groups:
        losses = [run.get(task, []) for _, run in runs]
        started = [values for values in losses if values]
        steps = [step for step in (exit_step(values, threshold) for values in started) if step is not None]
        if steps:
            means[label] = statistics.mean(steps) if len(steps) == len(started) else None
        lines.append("| {} | {} | {} of {} | {} | {} | {} |".format(
            label, ", ".join(step_text(values, threshold) for values in losses), len(steps), len(started),
            f"{statistics.mean(steps):.1f}" if steps else "-",
            f"{statistics.stdev(steps):.1f}" if len(steps) > 1 else "-",
            f"{min(steps)} to {max(steps)}" if steps else "-"))
    lines.append("")
    first = groups[0][0]
    for label, _ in groups[1:]:
        if means.get(first) and means.get(label):
            change = 100 * (means[label] / means[first] - 1)
            lines.append(f"Mean of {label} against {first}: {change:+.1f} %.")
        else:
            lines.append(f"Mean of {label} against {first}: not given, because not every run has left the plateau.")
    return lines + [""]


def ticks(top, count=5):
    """Round numbers from 0 to `top`, about `count` of them."""
    unit = 10.0 ** -6
    while True:
        for factor in (1, 2, 5):
            if top / (unit * factor) <= count:
                return [i * unit * factor for i in range(int(top / (unit * factor) + 1e-9) + 1)]
        unit *= 10


def line(points, colour, width, opacity):
    text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return (f'<polyline points="{text}" fill="none" stroke="{colour}" stroke-width="{width}" '
            f'stroke-opacity="{opacity}" stroke-linejoin="round"/>')


def panel(groups, task, level, left):
    curves = [[moving_mean(run.get(task, [])) for _, run in runs] for _, runs in groups]
    curves = [[curve for curve in group if curve] for group in curves]
    longest = max(len(curve) for group in curves for curve in group)
    last = longest + WINDOW - 1
    top = 1.05 * max(value for group in curves for curve in group for value in curve)

    def x(step):
        return left + PANEL * step / last

    def y(value):
        return TOP + HEIGHT * (1 - value / top)

    parts = [f'<text x="{left + PANEL / 2:.0f}" y="{TOP - 10}" text-anchor="middle" font-weight="bold">'
             f'{html.escape(task)}</text>']
    for value in ticks(top):
        parts.append(f'<line x1="{left}" x2="{left + PANEL}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="#e4e4e4"/>'
                     f'<text x="{left - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:g}</text>')
    for step in ticks(last, 8):
        parts.append(f'<line x1="{x(step):.1f}" x2="{x(step):.1f}" y1="{TOP + HEIGHT}" y2="{TOP + HEIGHT + 4}" '
                     f'stroke="#444"/><text x="{x(step):.1f}" y="{TOP + HEIGHT + 17}" text-anchor="middle">{step:g}'
                     '</text>')
    parts.append(f'<rect x="{left}" y="{TOP}" width="{PANEL}" height="{HEIGHT}" fill="none" stroke="#444"/>')
    if level is not None:
        parts.append(f'<line x1="{left}" x2="{left + PANEL}" y1="{y(level / 2):.1f}" y2="{y(level / 2):.1f}" '
                     'stroke="#444" stroke-dasharray="5 4"/>')
    middle = left + PANEL / 2
    parts.append(f'<text x="{middle:.0f}" y="{TOP + HEIGHT + 36}" text-anchor="middle">optimiser step of the task</text>')
    parts.append(f'<text transform="translate({left - 46} {TOP + HEIGHT / 2:.0f}) rotate(-90)" text-anchor="middle">'
                 'mean loss of ten steps (nats per token)</text>')
    for index, group in enumerate(curves):
        colour = COLOURS[index % len(COLOURS)]
        parts += [line([(x(i + WINDOW), y(value)) for i, value in enumerate(curve)], colour, 1, 0.4) for curve in group]
    for index, group in enumerate(curves):
        if group:
            length = max(map(len, group))
            mean = [statistics.mean(curve[min(i, len(curve) - 1)] for curve in group) for i in range(length)]
            points = [(x(i + WINDOW), y(value)) for i, value in enumerate(mean)]
            parts.append(line(points, COLOURS[index % len(COLOURS)], 3, 1))
    return parts


def picture(groups, levels):
    stride = PANEL + LEFT + GAP
    width, height = stride * len(levels) + GAP, TOP + HEIGHT + BOTTOM
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
             'font-family="sans-serif" font-size="12" fill="#222">',
             f'<rect width="{width}" height="{height}" fill="#fff"/>']
    position = LEFT
    for index, (label, runs) in enumerate(groups):
        text = f"{label} ({len(runs)} run{'' if len(runs) == 1 else 's'})"
        parts.append(f'<line x1="{position}" x2="{position + 26}" y1="20" y2="20" '
                     f'stroke="{COLOURS[index % len(COLOURS)]}" stroke-width="3"/>'
                     f'<text x="{position + 32}" y="24">{html.escape(text)}</text>')
        position += 60 + 7 * len(text)
    parts.append(f'<text x="{position}" y="24">thin: a run; thick: mean of the group; dashed: plateau left below</text>')
    for index, (task, level) in enumerate(levels.items()):
        parts += panel(groups, task, level, LEFT + index * stride)
    return "\n".join(parts + ["</svg>"]) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--group", nargs="+", action="append", required=True, metavar=("LABEL", "RUN"))
    parser.add_argument("--tasks", nargs="+", required=True)
    parser.add_argument("--svg", type=Path, help="where the picture goes; without it there is the table alone")
    arguments = parser.parse_args()
    groups = []
    for label, *folders in arguments.group:
        if not folders:
            fail(f"--group {label}: give its run folders behind the label")
        groups.append((label, [(folder, read_run(Path(folder))) for folder in folders]))
    runs = [run for _, members in groups for _, run in members]
    levels = {}
    for task in dict.fromkeys(arguments.tasks):
        if max((len(run.get(task, [])) for run in runs), default=0) < WINDOW:
            known = ", ".join(sorted({name for run in runs for name in run}))
            fail(f"--tasks {task}: no run has ten steps of it; the runs have: {known}")
        levels[task] = plateau_level(runs, task)
    print(DEFINITION + "\n")
    for task, level in levels.items():
        print("\n".join(table(groups, task, level) if level else [f"**{task}**: no run has 30 steps yet.", ""]))
    if arguments.svg:
        arguments.svg.write_text(picture(groups, levels))


if __name__ == "__main__":
    main()
