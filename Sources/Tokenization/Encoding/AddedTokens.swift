/// A token that is recognised in the text itself, before any word is cut.
struct AddedToken: Sendable, Equatable {
  var id: Int32
  var content: String
  /// A control token (`<|im_end|>`): left out by `decode(skipSpecial: true)` and plain text to
  /// `encode(parseSpecial: false)`.
  var isSpecial = true
  /// Takes the white space before it.
  var stripsLeft = false
  /// Takes the white space after it.
  var stripsRight = false
  /// Is not recognised beside a letter, digit or underscore.
  var isSingleWord = false
  /// Is looked for in the normalised text instead of the text as given.
  var isNormalized = false
}

/// Finds added tokens in text: the leftmost, of these the longest.
struct AddedTokenMatcher: Sendable {
  /// A piece of text: an added token, or text between them.
  enum Piece {
    case text(Range<Int>)
    case token(Int32)
  }

  private let tokens: [AddedToken]
  /// Trie: (node << 8 | byte) to node, and the token that ends at a node.
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

  /// Calls `body` with the pieces of well-formed UTF-8 text, in order.
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
      // As in the reference library, the search goes on at the match's own end, so that a token of spaces is
      // still found within the spaces that this one took.
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

/// The start of the scalar that ends at `end`, which lies after the start of the text.
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

/// `\w`: alphabetic scalars, marks, decimal digits, connector punctuation, join controls.
private func isWord(_ scalar: Unicode.Scalar) -> Bool {
  if scalar.properties.isAlphabetic || scalar.properties.isJoinControl { return true }
  switch scalar.properties.generalCategory {
  case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: return true
  default: return false
  }
}
