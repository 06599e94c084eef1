/// An IPv4 network. Hosts get its addresses from the first one upwards; the last one is the bridge's.
package struct Subnet: Sendable, Hashable, CustomStringConvertible {
  /// The network's own address.
  let base: UInt32
  /// The prefix length.
  let bits: Int

  /// Parses `ADDRESS/BITS`; `nil` for anything else, or if the bits are outside 8...29.
  package init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, let address = Self.number(parts[0]), let bits = Int(parts[1]), 8...29 ~= bits
    else { return nil }
    (base, self.bits) = (address & UInt32.max << UInt32(32 - bits), bits)
  }

  /// The number of a dotted IPv4 address.
  static func number(_ text: some StringProtocol) -> UInt32? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    let bytes = parts.compactMap { part in part.utf8.allSatisfy { 48...57 ~= $0 } ? UInt8(part) : nil }
    guard parts.count == 4, bytes.count == 4 else { return nil }
    return bytes.reduce(0) { $0 << 8 | UInt32($1) }
  }

  private var size: UInt32 { 1 << UInt32(32 - bits) }

  /// The number of hosts that fit beside the bridge.
  package var capacity: Int { Int(size) - 3 }

  /// The address of a host, counted from 0.
  package func address(_ host: Int) -> String { Self.text(base + 1 + UInt32(host)) }

  /// The address of the bridge, where the launcher runs.
  package var bridge: String { Self.text(base + size - 2) }

  /// Whether the two networks have addresses in common.
  package func overlaps(_ other: Subnet) -> Bool {
    let mask = UInt32.max << UInt32(32 - min(bits, other.bits))
    return (base ^ other.base) & mask == 0
  }

  /// `ADDRESS/BITS`.
  package var description: String { "\(Self.text(base))/\(bits)" }

  private static func text(_ number: UInt32) -> String {
    [24, 16, 8, 0].map { String(number >> UInt32($0) & 0xFF) }.joined(separator: ".")
  }

  /// The networks to try, in this order, if the file names none.
  static var defaults: some Sequence<Subnet> {
    (0..<256).lazy.map { Subnet(base: 10 << 24 | 73 << 16 | $0 << 8, bits: 24) }
  }

  private init(base: UInt32, bits: Int) { (self.base, self.bits) = (base, bits) }
}
