/// Turns tokens into text as they come, never giving out half a scalar.
///
/// All returned pieces joined, with that of `finish()`, are what `Tokenizer.decode` gives for all tokens.
package struct StreamingDecoder: Sendable {
  private let tokenizer: Tokenizer
  private let skipSpecial: Bool
  private var pending: [UInt8] = []

  /// A decoder at the start of a text.
  ///
  /// - Parameter skipSpecial: whether to leave out control tokens.
  package init(_ tokenizer: Tokenizer, skipSpecial: Bool) {
    self.tokenizer = tokenizer
    self.skipSpecial = skipSpecial
  }

  /// The text that this token completes; empty while a scalar's bytes are still incomplete.
  package mutating func append(_ id: Int32) -> String {
    tokenizer.append(id, skipSpecial: skipSpecial, to: &pending)
    let complete = pending.count - incompleteLength
    defer { pending.removeFirst(complete) }
    return String(decoding: pending[..<complete], as: UTF8.self)
  }

  /// What is left at the end: U+FFFD where a scalar stayed incomplete, otherwise nothing.
  package mutating func finish() -> String {
    defer { pending = [] }
    return String(decoding: pending, as: UTF8.self)
  }

  /// The number of bytes at the end that begin a scalar whose rest may still come.
  private var incompleteLength: Int {
    for length in 1...3 where length <= pending.count {
      let lead = pending[pending.count - length]
      if lead & 0xC0 == 0x80 { continue }
      let expected = lead >= 0xF0 && lead <= 0xF4 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 1
      guard lead <= 0xF4, length < expected else { return 0 }
      guard length > 1 else { return 1 }
      // Some leads narrow the byte after them; outside that range the sequence can no longer become a scalar.
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
