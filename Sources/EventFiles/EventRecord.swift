/// One record of an event file: an `Event` of TensorBoard in the framing of a TFRecord.
///
/// | bytes | content |
/// |---|---|
/// | 8 | the length of the event, little-endian |
/// | 4 | the masked CRC-32C of the length |
/// | length | the event |
/// | 4 | the masked CRC-32C of the event |
///
/// Field numbers are those of TensorBoard's event.proto, summary.proto and tensor.proto.
package struct EventRecord {
  /// The whole record.
  package let bytes: [UInt8]

  private init(time: Double, step: Int, _ fill: (inout Protobuf) -> Void) {
    let event = Protobuf { event in
      event.double(1, time)
      event.integer(2, Int64(step))
      fill(&event)
    }.bytes
    let length = littleEndian(UInt64(event.count))
    bytes = length + littleEndian(CRC32C.masked(length)) + event + littleEndian(CRC32C.masked(event))
  }

  /// The first record of every file. From this version on, a reader looks for ``restart(step:time:)``.
  package static func fileVersion(time: Double) -> EventRecord {
    EventRecord(time: time, step: 0) { $0.data(3, Array("brain.Event:2".utf8)) }
  }

  /// Makes a reader drop what earlier files have for `step` and later steps.
  package static func restart(step: Int, time: Double) -> EventRecord {
    EventRecord(time: time, step: step) { event in
      // SessionLog with the status START.
      event.message(7) { $0.integer(1, 1) }
    }
  }

  /// Numbers by tag. They are stored as 32-bit floats.
  package static func scalars(_ values: [(tag: String, value: Double)], step: Int, time: Double)
    -> EventRecord
  {
    EventRecord(time: time, step: step) { event in
      event.message(5) { summary in
        for (tag, value) in values {
          summary.message(1) { entry in
            entry.data(1, Array(tag.utf8))
            entry.floatChoice(2, Float(value))
          }
        }
      }
    }
  }

  /// A text, which TensorBoard shows as Markdown.
  package static func text(_ text: String, tag: String, step: Int, time: Double) -> EventRecord {
    EventRecord(time: time, step: step) { event in
      event.message(5) { summary in
        summary.message(1) { entry in
          entry.data(1, Array(tag.utf8))
          entry.message(8) { tensor in
            // DT_STRING, a scalar.
            tensor.integer(1, 7)
            tensor.message(2) { _ in }
            tensor.data(8, Array(text.utf8))
          }
          entry.message(9) { metadata in
            metadata.message(1) { $0.data(1, Array("text".utf8)) }
            // DATA_CLASS_TENSOR
            metadata.integer(4, 2)
          }
        }
      }
    }
  }
}
