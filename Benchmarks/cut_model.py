#!/usr/bin/env python3
"""Writes a GGUF model's first layers as a model of their own: python3 cut_model.py MODEL.gguf LAYERS OUT.gguf

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, version 2 and 3, little-endian.
"""
import re
import struct
import sys

# Bytes of a value by its type; 8 is a text, 9 a list.
SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def number(self, form):
        value = struct.unpack_from("<" + form, self.data, self.at)[0]
        self.at += struct.calcsize(form)
        return value

    def text(self):
        count = self.number("Q")
        self.at += count
        return self.data[self.at - count:self.at].decode()

    def skip(self, kind):
        if kind == 8:
            self.text()
        elif kind == 9:
            inner, count = self.number("I"), self.number("Q")
            for _ in range(count):
                self.skip(inner)
        else:
            self.at += SIZES[kind]


def main(source, layers, target):
    data = open(source, "rb").read()
    reader = Reader(data)
    if data[:4] != b"GGUF":
        sys.exit(f"{source}: is no GGUF file")
    reader.at = 4
    version, tensor_count, value_count = reader.number("I"), reader.number("Q"), reader.number("Q")
    metadata, alignment = b"", 32
    for _ in range(value_count):
        start = reader.at
        key, kind = reader.text(), reader.number("I")
        value = reader.at
        reader.skip(kind)
        if key == "general.alignment":
            alignment = struct.unpack_from("<I", data, value)[0]
        if key.endswith(".block_count"):
            metadata += data[start:value] + struct.pack("<I", layers)
        else:
            metadata += data[start:reader.at]
    tensors = []
    for _ in range(tensor_count):
        start = reader.at
        name = reader.text()
        dimensions = reader.number("I")
        reader.at += 8 * dimensions + 4
        described = data[start:reader.at]
        tensors.append((name, described, reader.number("Q")))
    base = (reader.at + alignment - 1) // alignment * alignment
    ends = sorted(offset for _, _, offset in tensors) + [len(data) - base]
    descriptions, values = b"", b""
    kept = 0
    for name, described, offset in tensors:
        block = re.match(r"blk\.(\d+)\.", name)
        if block and int(block.group(1)) >= layers:
            continue
        end = min(end for end in ends if end > offset)
        descriptions += described + struct.pack("<Q", len(values))
        values += data[base + offset:base + end]
        values += bytes(-len(values) % alignment)
        kept += 1
    head = b"GGUF" + struct.pack("<IQQ", version, kept, value_count) + metadata + descriptions
    with open(target, "wb") as out:
        out.write(head + bytes(-len(head) % alignment) + values)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
