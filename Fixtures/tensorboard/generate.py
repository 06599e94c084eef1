"""Writes events.tfevents with TensorBoard's own messages and record writer, and reads them again.

    python3 -m venv /tmp/tensorboard && /tmp/tensorboard/bin/pip install tensorboard
    /tmp/tensorboard/bin/python Fixtures/tensorboard/generate.py

The times and values are those of Tests/EventFilesTests.
"""

import hashlib
import json
import pathlib

import tensorboard
from tensorboard.backend.event_processing import event_accumulator
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

here = pathlib.Path(__file__).parent
path = here / "events.tfevents"


def scalars(step, time, **values):
    summary = summary_pb2.Summary()
    for tag, value in values.items():
        summary.value.add(tag=tag.replace("__", "/"), simple_value=value)
    return event_pb2.Event(wall_time=time, step=step, summary=summary)


text = summary_pb2.Summary()
value = text.value.add(tag="workflow")
value.tensor.dtype = 7
value.tensor.tensor_shape.SetInParent()
value.tensor.string_val.append("    name: käse\n    tasks: []".encode())
value.metadata.plugin_data.plugin_name = "text"
value.metadata.data_class = summary_pb2.DATA_CLASS_TENSOR

events = [
    event_pb2.Event(wall_time=1700000000.25, file_version="brain.Event:2"),
    event_pb2.Event(wall_time=1700000000.5, summary=text),
    scalars(1, 1700000001.0, loss__a=2.5, gradient_norm__a=0.0, learning_rate__a=0.001),
    scalars(2, 1700000002.0, loss__a=1.1, validation__a__accuracy=0.75),
    scalars(1 << 40, 1700000003.0, loss__a=float("nan")),
    event_pb2.Event(
        wall_time=1700000004.0,
        step=2,
        session_log=event_pb2.SessionLog(status=event_pb2.SessionLog.START),
    ),
    scalars(2, 1700000005.0, loss__a=0.9),
]

with open(path, "wb") as file:
    writer = RecordWriter(file)
    for event in events:
        writer.write(event.SerializeToString())
    writer.flush()

accumulator = event_accumulator.EventAccumulator(str(path))
accumulator.Reload()
assert [(e.step, round(e.value, 4)) for e in accumulator.Scalars("loss/a")] == [(1, 2.5), (2, 0.9)]
assert accumulator.Tensors("workflow")[0].tensor_proto.string_val[0].decode() == "    name: käse\n    tasks: []"

data = path.read_bytes()
manifest = {
    "schema": 1,
    "generator": "generate.py",
    "versions": {"tensorboard": tensorboard.__version__},
    "files": {path.name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}},
}
(here / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
