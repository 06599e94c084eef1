/// A token that is matched in the raw text, before it is split into words.
struct AddedToken: Sendable, Equatable {
  var id: Int32
  var content: String
  /// Whether this is a control token (`<|im_end|>`): `decode(skipSpecial: true)` omits it and
  /// `encode(parseSpecial: false)` treats its spelling as plain text.
  var isSpecial = true
  /// Whether the token also consumes the white space before it.
  var stripsLeft = false
  /// Whether the token also consumes the white space after it.
  var stripsRight = false
  /// Whether the token does not match next to a letter, digit or underscore.
  var isSingleWord = false
  /// Whether the token is matched in the normalised text instead of the original text.
  var isNormalized = false
}

/// Finds added tokens in text. The leftmost match wins; among matches at the same position, the longest.
struct AddedTokenMatcher: Sendable {
  /// A piece of text: an added token, or the text between two of them.
  enum Piece {
    case text(Range<Int>)
    case token(Int32)
  }

  private let tokens: [AddedToken]
  /// A trie: maps (node << 8 | byte) to a node, and a node to the token that ends there.
  private var children: [Int: Int] = [:]
  private var ends: [Int?] = [nil]
  private var startsToken = [Bool](repeating: false, count: 256)

  init(_ tokens: [AddedToken]) {
    self.tokens = tokens
    for (index, token) in tokens.enumerated() where !token.content.isEmpty {
      var node = 0
      for byte in token.content.utf8 {
        if node == 0 { startsToken[Int(byte)] = true }
        let key = node << 8 | Int(byte)
        if let child = children[key] {
          node = child
        } else {
          children[key] = ends.count
          node = ends.count
          ends.append(nil)
        }
      }
      ends[node] = index
    }
  }

  var isEmpty: Bool { ends.count == 1 }

  /// Calls `body` with the pieces of valid UTF-8 text, in order.
  func forEachPiece(
    in text: UnsafeBufferPointer<UInt8>, parseSpecial: Bool, _ body: (Piece) -> Void
  ) {
    var done = 0
    var position = 0
    while position < text.count, !isEmpty {
      guard startsToken[Int(text[position])], let match = longestMatch(in: text, at: position) else {
        position += 1
        continue
      }
      let token = tokens[match.index]
      var range = position..<match.end
      position = match.end
      if token.isSpecial, !parseSpecial { continue }
      if token.isSingleWord, isWord(text, before: range.lowerBound) || isWord(text, after: range.upperBound) {
        continue
      }
      if token.stripsLeft {
        let start = max(done, startOfSpaces(text, before: range.lowerBound))
        range = min(start, range.upperBound)..<range.upperBound
      }
      if token.stripsRight {
        let end = ScalarReader(bytes: text).endOfRun(of: .space, from: range.upperBound)
        range = range.lowerBound..<end
      }
      if done < range.lowerBound { body(.text(done..<range.lowerBound)) }
      body(.token(token.id))
      // As in the reference library, the search continues at the end of the token itself, not of the white
      // space that it consumed. A token of spaces is therefore still found within that white space.
      done = range.upperBound
    }
    if done < text.count { body(.text(done..<text.count)) }
  }

  private func longestMatch(
    in text: UnsafeBufferPointer<UInt8>, at start: Int
  ) -> (index: Int, end: Int)? {
    var node = 0
    var best: (index: Int, end: Int)?
    var position = start
    while position < text.count, let child = children[node << 8 | Int(text[position])] {
      node = child
      position += 1
      if let index = ends[node] { best = (index, position) }
    }
    return best
  }
}

/// The start of the scalar that ends at `end`, which must be after the start of the text.
private func startOfScalar(_ text: UnsafeBufferPointer<UInt8>, endingAt end: Int) -> Int {
  var start = end - 1
  while start > 0, text[start] & 0xC0 == 0x80 { start -= 1 }
  return start
}

private func startOfSpaces(_ text: UnsafeBufferPointer<UInt8>, before end: Int) -> Int {
  let reader = ScalarReader(bytes: text)
  var end = end
  while end > 0 {
    let start = startOfScalar(text, endingAt: end)
    guard reader.classified(at: start)?.kind == .space else { break }
    end = start
  }
  return end
}

private func isWord(_ text: UnsafeBufferPointer<UInt8>, before end: Int) -> Bool {
  end > 0 && isWord(ScalarReader(bytes: text).scalar(at: startOfScalar(text, endingAt: end)).scalar)
}

private func isWord(_ text: UnsafeBufferPointer<UInt8>, after start: Int) -> Bool {
  start < text.count && isWord(ScalarReader(bytes: text).scalar(at: start).scalar)
}

/// `\w`: alphabetic scalars, marks, decimal digits, connector punctuation and join controls.
private func isWord(_ scalar: Unicode.Scalar) -> Bool {
  if scalar.properties.isAlphabetic || scalar.properties.isJoinControl { return true }
  switch scalar.properties.generalCategory {
  case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: return true
  default: return false
  }
}
