import Transport

/// How a rank talks to the others while it trains.
package struct StageLink: Sendable {
  /// How the ranks send each other bytes.
  package let transport: any Transport
  /// How activations and gradients are written into messages.
  package let wire: WireFormat
  /// Seconds that one message is waited for.
  package let deadline: Double

  /// A link.
  package init(_ transport: any Transport, wire: WireFormat = .bfloat16, deadline: Double = 600) {
    self.transport = transport
    self.wire = wire
    self.deadline = deadline
  }

  /// Messages that no schedule knows: reports, checkpoints, decisions, validation.
  enum Control: Int {
    case report, checkpoint, columns, validation, score
    var tag: Tag { Tag(Tag.maximum - rawValue) }
  }

  /// The tag of a schedule's message. Numbers that are so far apart that they share a tag keep their order.
  static func tag(_ message: Int32) -> Tag { Tag(Int(message) % (Tag.maximum - 15)) }
}

/// Arrays of plain numbers as bytes, in the machine's order, which is little-endian on every supported
/// processor.
enum Plain {
  static func bytes<Number: BitwiseCopyable>(_ values: [Number]) -> [UInt8] {
    values.withUnsafeBytes { Array($0) }
  }

  /// - Precondition: the bytes are whole numbers.
  static func values<Number: BitwiseCopyable>(
    _ bytes: some Collection<UInt8>, as type: Number.Type
  ) -> [Number] {
    let size = MemoryLayout<Number>.stride
    precondition(bytes.count % size == 0, "\(bytes.count) bytes are no whole numbers of \(size)")
    return [Number](unsafeUninitializedCapacity: bytes.count / size) { buffer, filled in
      UnsafeMutableRawBufferPointer(buffer).copyBytes(from: bytes)
      filled = bytes.count / size
    }
  }
}
