/// How float32 activations and gradients are encoded in a message.
///
/// | format | bytes for `rows × columns` | error of a finite value |
/// |---|---|---|
/// | `float32` | `4 · rows · columns` | none |
/// | `bfloat16` | `2 · rows · columns` | ≤ 2⁻⁸ of the value: upper 16 bits, ties to even |
/// | `int8` | `rows · (4 + columns)` | ≤ half a step: the row's largest magnitude / 127, at least 2⁻¹²⁶ |
///
/// An `int8` message has the rows' steps as float32, then the rows. The first two formats preserve non-finite
/// numbers; in `int8` they turn their whole row into NaN, so that a loss computed from it shows the fault.
/// All values are in the machine's byte order, which is little-endian on every supported processor.
package enum WireFormat: String, Codable, CaseIterable, Sendable {
  case float32, bfloat16, int8

  /// The size of a message in bytes.
  package func byteCount(rows: Int, columns: Int) -> Int {
    rows * (rowBytes + columns * valueBytes)
  }

  /// Bytes per value.
  package var valueBytes: Int {
    switch self {
    case .float32: 4
    case .bfloat16: 2
    case .int8: 1
    }
  }

  /// Bytes per row beside its values: the step that an int8 row's numbers are multiplied by.
  package var rowBytes: Int { self == .int8 ? 4 : 0 }

  /// Encodes `rows × columns` values.
  ///
  /// - Parameters:
  ///   - values: the rows, one after the other.
  ///   - columns: the length of a row.
  ///   - message: at least `byteCount` bytes, aligned to 4.
  /// - Returns: the number of bytes written.
  @discardableResult
  package func encode(
    _ values: UnsafeBufferPointer<Float>, columns: Int, into message: UnsafeMutableRawBufferPointer
  ) -> Int {
    let rows = Self.rows(values.count, columns)
    let bytes = byteCount(rows: rows, columns: columns)
    precondition(message.count >= bytes, "a message of \(message.count) bytes for \(bytes)")
    guard let source = values.baseAddress, let target = message.baseAddress, bytes > 0 else { return bytes }
    switch self {
    case .float32:
      target.copyMemory(from: source, byteCount: bytes)
    case .bfloat16:
      let words = target.bindMemory(to: UInt16.self, capacity: values.count)
      for index in 0..<values.count { words[index] = Self.bfloat16(source[index]) }
    case .int8:
      let steps = target.bindMemory(to: Float.self, capacity: rows)
      let bytes = (target + 4 * rows).bindMemory(to: Int8.self, capacity: values.count)
      for row in 0..<rows {
        steps[row] = Self.encodeRow(source + row * columns, columns, into: bytes + row * columns)
      }
    }
    return bytes
  }

  /// Decodes what `encode` wrote, `values.count` numbers.
  package func decode(
    _ message: UnsafeRawBufferPointer, columns: Int, into values: UnsafeMutableBufferPointer<Float>
  ) {
    let rows = Self.rows(values.count, columns)
    let bytes = byteCount(rows: rows, columns: columns)
    precondition(message.count >= bytes, "a message of \(message.count) bytes for \(bytes)")
    guard let source = message.baseAddress, let target = values.baseAddress, bytes > 0 else { return }
    switch self {
    case .float32:
      UnsafeMutableRawPointer(target).copyMemory(from: source, byteCount: bytes)
    case .bfloat16:
      let words = source.bindMemory(to: UInt16.self, capacity: values.count)
      for index in 0..<values.count { target[index] = Float(bitPattern: UInt32(words[index]) << 16) }
    case .int8:
      let steps = source.bindMemory(to: Float.self, capacity: rows)
      let bytes = (source + 4 * rows).bindMemory(to: Int8.self, capacity: values.count)
      for row in 0..<rows {
        let step = steps[row]
        for column in row * columns..<(row + 1) * columns { target[column] = Float(bytes[column]) * step }
      }
    }
  }

  private static func rows(_ count: Int, _ columns: Int) -> Int {
    precondition(columns > 0 && count % columns == 0, "\(count) values in rows of \(columns)")
    return count / columns
  }

  /// The upper half of a float32, rounded to nearest, ties to even. A NaN is not rounded, which could make it
  /// infinite; its quiet bit is set, so that it stays a NaN.
  @inline(__always)
  static func bfloat16(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    let rounded = bits &+ 0x7FFF &+ (bits >> 16 & 1)
    let isNaN = bits & 0x7FFF_FFFF > 0x7F80_0000
    return UInt16(truncatingIfNeeded: (isNaN ? bits | 0x40_0000 : rounded) >> 16)
  }

  /// Encodes a row in steps of its largest magnitude / 127, and returns the step.
  private static func encodeRow(
    _ row: UnsafePointer<Float>, _ columns: Int, into bytes: UnsafeMutablePointer<Int8>
  ) -> Float {
    // Magnitudes order like their bit patterns, and integer comparisons vectorise.
    var largest: UInt32 = 0
    for column in 0..<columns { largest = max(largest, row[column].bitPattern & 0x7FFF_FFFF) }
    guard largest > 0, largest < 0x7F80_0000 else {
      bytes.update(repeating: 0, count: columns)
      return largest == 0 ? 0 : .nan
    }
    let step = max(Float(bitPattern: largest) / 127, .leastNormalMagnitude)
    // Adding 1.5 · 2²³ rounds a small number to nearest, ties to even, and leaves it in the lowest bits.
    let shift: Float = 0x1.8p23
    for column in 0..<columns {
      let steps = row[column] / step + shift
      bytes[column] = Int8(truncatingIfNeeded: Int32(bitPattern: steps.bitPattern &- shift.bitPattern))
    }
    return step
  }
}
