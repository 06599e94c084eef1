/// The differences between byte-level models, apart from tokens and merges.
struct ModelOptions: Sendable {
  var preTokenizer: PreTokenizer
  /// Whether text is first converted to Unicode normal form C.
  var composes = false
  /// Whether a word that is a token is encoded as that token, even if the merges would give others.
  var ignoresMerges = false
  /// The token for bytes without one.
  var unknown: Int32?
  var fusesUnknown = false
}

/// Added tokens by content and id, and their matchers before and after normalisation.
struct AddedTokens: Sendable {
  let raw: AddedTokenMatcher
  let normalized: AddedTokenMatcher
  let contents: [Int32: String]
  let ids: [ExactString: Int32]
  let special: Set<Int32>

  init(_ tokens: [AddedToken]) {
    raw = AddedTokenMatcher(tokens.filter { !$0.isNormalized })
    normalized = AddedTokenMatcher(tokens.filter(\.isNormalized))
    contents = Dictionary(tokens.map { ($0.id, $0.content) }, uniquingKeysWith: { $1 })
    ids = Dictionary(tokens.map { (ExactString($0.content), $0.id) }, uniquingKeysWith: { $1 })
    special = Set(tokens.filter(\.isSpecial).map(\.id))
  }
}

/// A string that is compared by its scalars. `String` itself compares by canonical equivalence.
struct ExactString: Hashable, Sendable {
  let text: String

  init(_ text: String) {
    self.text = text
  }

  static func == (left: Self, right: Self) -> Bool { left.text.utf8.elementsEqual(right.text.utf8) }

  func hash(into hasher: inout Hasher) {
    for byte in text.utf8 { hasher.combine(byte) }
  }
}

/// A tokenizer's special tokens and the tokens added around a text.
struct SequenceTokens: Sendable {
  var beginning: Int32?
  var end: Int32?
  var padding: Int32?
  var prefix: [Int32] = []
  var suffix: [Int32] = []
}

extension Tokenizer {
  /// Builds the tables.
  ///
  /// - Parameters:
  ///   - spellings: the token of each id; `nil` for an unused id.
  ///   - merges: pairs of spellings, in order of rank.
  ///   - file: the file name in error messages.
  ///   - mergesField: the field's name in error messages.
  init<Merges: Collection>(
    spellings: [String?], merges: Merges, added: [AddedToken], options: ModelOptions,
    sequence: SequenceTokens, file: String, mergesField: String
  ) throws(TokenizerError) where Merges.Element == Merge {
    let vocabulary = Vocabulary(spellings: spellings)
    var table = MergeTable(count: merges.count)
    var joined: [UInt8] = []
    for (rank, merge) in merges.enumerated() {
      joined.removeAll(keepingCapacity: true)
      let middle: Int
      let isByteLevel: Bool
      (middle, isByteLevel) = merge.decode(into: &joined)
      let ids: (Int32, Int32, Int32)? = joined.withUnsafeBufferPointer { joined in
        guard isByteLevel,
          let left = vocabulary.id(of: UnsafeBufferPointer(rebasing: joined[..<middle])),
          let right = vocabulary.id(of: UnsafeBufferPointer(rebasing: joined[middle...])),
          let merged = vocabulary.id(of: joined)
        else { return nil }
        return (left, right, merged)
      }
      guard let ids else {
        throw .invalid(
          file: file, field: "\(mergesField)[\(rank)]",
          reason:
            "'\(merge)' names a token that the vocabulary lacks; tokens and merges are from different models"
        )
      }
      table.insert(left: ids.0, right: ids.1, rank: rank, merged: ids.2)
    }
    self.vocabulary = vocabulary
    self.merges = table
    byteTokens = (UInt8(0)...255).map { byte in
      withUnsafePointer(to: byte) { vocabulary.id(of: UnsafeBufferPointer(start: $0, count: 1)) } ?? -1
    }
    model = options
    addedTokens = AddedTokens(added)
    beginningOfSequence = sequence.beginning
    endOfSequence = sequence.end
    padding = sequence.padding
    prefix = sequence.prefix
    suffix = sequence.suffix
  }
}

/// One merge rule in the spelling of the file.
struct Merge: CustomStringConvertible {
  var left: Substring
  var right: Substring

  init(left: String, right: String) {
    self.left = left[...]
    self.right = right[...]
  }

  /// Parses `left right`; `nil` unless there is exactly one space, with a spelling on each side.
  init?(_ line: String) {
    let utf8 = line.utf8
    guard let gap = utf8.firstIndex(of: UInt8(ascii: " ")), gap != utf8.startIndex,
      utf8.index(after: gap) != utf8.endIndex
    else { return nil }
    left = line[..<gap]
    right = line[utf8.index(after: gap)...]
    guard !right.utf8.contains(UInt8(ascii: " ")) else { return nil }
  }

  var description: String { "\(left) \(right)" }

  /// Appends the bytes of both sides. Returns the left side's length and whether both sides are byte-level.
  func decode(into bytes: inout [UInt8]) -> (middle: Int, isByteLevel: Bool) {
    func decode(_ side: Substring, into bytes: inout [UInt8]) -> Bool {
      side.utf8.withContiguousStorageIfAvailable { ByteAlphabet.decode($0, into: &bytes) }
        ?? Array(side.utf8).withUnsafeBufferPointer { ByteAlphabet.decode($0, into: &bytes) }
    }
    guard decode(left, into: &bytes) else { return (0, false) }
    let middle = bytes.count
    return (middle, decode(right, into: &bytes) && middle > 0 && bytes.count > middle)
  }
}
