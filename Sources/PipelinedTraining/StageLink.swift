import Transport

/// How a rank communicates with the others while it trains.
package struct StageLink: Sendable {
  /// Carries bytes between the ranks.
  package let transport: any Transport
  /// The number format of activations and gradients in messages.
  package let wire: WireFormat
  /// The longest wait for one message.
  package let timeout: Duration

  package init(_ transport: any Transport, wire: WireFormat = .bfloat16, timeout: Duration = .seconds(600)) {
    self.transport = transport
    self.wire = wire
    self.timeout = timeout
  }

  /// Messages outside of any schedule: reports, checkpoints, decisions, validation.
  enum Control: Int {
    case report, checkpoint, columns, validation, score
    var tag: Tag { Tag(Tag.maximum - rawValue) }
  }

  /// The tag of a schedule's message. Messages whose numbers are far enough apart to share a tag keep their
  /// order.
  static func tag(_ number: Int) -> Tag { Tag(number % (Tag.maximum - 15)) }
}

/// Arrays of numbers as bytes, in the machine's byte order, which is little-endian on every supported
/// processor.
enum Plain {
  static func bytes<Number: BitwiseCopyable>(_ values: [Number]) -> [UInt8] {
    values.withUnsafeBytes { Array($0) }
  }

  /// The values of bytes; a last one that is not whole is dropped.
  static func values<Number: BitwiseCopyable>(
    _ bytes: some Collection<UInt8>, as type: Number.Type
  ) -> [Number] {
    let size = MemoryLayout<Number>.stride
    let bytes = bytes.prefix(bytes.count / size * size)
    // An array without elements is shared by all threads, and this initialiser writes its count.
    guard !bytes.isEmpty else { return [] }
    return [Number](unsafeUninitializedCapacity: bytes.count / size) { buffer, filled in
      UnsafeMutableRawBufferPointer(buffer).copyBytes(from: bytes)
      filled = bytes.count / size
    }
  }
}
