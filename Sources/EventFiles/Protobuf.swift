/// A message in the wire format of Protocol Buffers, field by field in ascending order.
///
/// Fields with the default value are left out by the methods for numbers, as the format's own writers do.
struct Protobuf {
  private(set) var bytes: [UInt8] = []

  init(_ fill: (inout Protobuf) -> Void) { fill(&self) }

  private mutating func append(variable value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  private mutating func tag(_ field: Int, wireType: Int) { append(variable: UInt64(field << 3 | wireType)) }

  mutating func integer(_ field: Int, _ value: Int64) {
    guard value != 0 else { return }
    tag(field, wireType: 0)
    append(variable: UInt64(bitPattern: value))
  }

  mutating func double(_ field: Int, _ value: Double) {
    guard value.bitPattern != 0 else { return }
    tag(field, wireType: 1)
    bytes += littleEndian(value.bitPattern)
  }

  /// A member of a `oneof`, which is written even if it is 0.
  mutating func floatChoice(_ field: Int, _ value: Float) {
    tag(field, wireType: 5)
    bytes += littleEndian(value.bitPattern)
  }

  mutating func data(_ field: Int, _ value: some Collection<UInt8>) {
    tag(field, wireType: 2)
    append(variable: UInt64(value.count))
    bytes += value
  }

  mutating func message(_ field: Int, _ fill: (inout Protobuf) -> Void) { data(field, Protobuf(fill).bytes) }
}

func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
  withUnsafeBytes(of: value.littleEndian) { Array($0) }
}
