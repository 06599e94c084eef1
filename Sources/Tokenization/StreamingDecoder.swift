/// Decodes a stream of tokens to text. It never returns part of a scalar.
///
/// The returned pieces, including that of `finish()`, concatenate to the result of `Tokenizer.decode` for all
/// tokens.
package struct StreamingDecoder: Sendable {
  private let tokenizer: Tokenizer
  private let skipSpecial: Bool
  private var pending: [UInt8] = []

  /// - Parameter skipSpecial: whether to omit control tokens.
  package init(_ tokenizer: Tokenizer, skipSpecial: Bool) {
    self.tokenizer = tokenizer
    self.skipSpecial = skipSpecial
  }

  /// The text that this token completes; empty while the bytes of a scalar are incomplete.
  package mutating func append(_ id: Int32) -> String {
    tokenizer.append(id, skipSpecial: skipSpecial, to: &pending)
    let complete = pending.count - incompleteLength
    defer { pending.removeFirst(complete) }
    return String(decoding: pending[..<complete], as: UTF8.self)
  }

  /// The rest of the text: U+FFFD if the last scalar is incomplete, otherwise empty.
  package mutating func finish() -> String {
    defer { pending = [] }
    return String(decoding: pending, as: UTF8.self)
  }

  /// The number of trailing bytes that start a scalar and may still be completed.
  private var incompleteLength: Int {
    for length in 1...3 where length <= pending.count {
      let lead = pending[pending.count - length]
      if lead & 0xC0 == 0x80 { continue }
      let expected = lead >= 0xF0 && lead <= 0xF4 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 1
      guard lead <= 0xF4, length < expected else { return 0 }
      guard length > 1 else { return 1 }
      // Some lead bytes restrict the byte after them; outside that range, the sequence cannot become a
      // scalar.
      let second = pending[pending.count - length + 1]
      switch lead {
      case 0xE0: return second >= 0xA0 ? length : 0
      case 0xED: return second < 0xA0 ? length : 0
      case 0xF0: return second >= 0x90 ? length : 0
      case 0xF4: return second < 0x90 ? length : 0
      default: return length
      }
    }
    return 0
  }
}
