"""Prints what TensorBoard's own reader finds in a folder, as JSON: {"scalars": {tag: [[step, value]]}, "texts": {tag: text}}.

    python Fixtures/tensorboard/read.py FOLDER
"""

import json
import sys

from tensorboard.backend.event_processing import event_accumulator

accumulator = event_accumulator.EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "tensors": 0})
accumulator.Reload()
tags = accumulator.Tags()
print(
    json.dumps(
        {
            "scalars": {tag: [[e.step, e.value] for e in accumulator.Scalars(tag)] for tag in tags["scalars"]},
            "texts": {
                tag: accumulator.Tensors(tag)[-1].tensor_proto.string_val[0].decode() for tag in tags["tensors"]
            },
        }
    )
)
