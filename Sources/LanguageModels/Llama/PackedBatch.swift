import Tensor

/// One sequence to learn from or to score.
public struct TokenSequence: Sendable, Equatable {
  /// Token ids.
  public var tokens: [Int32]
  /// As long as `tokens`: the token to be predicted from each position, or ``noTarget``.
  public var targets: [Int32]

  /// A target that carries no loss.
  public static let noTarget: Int32 = -1

  /// - Precondition: as many targets as tokens.
  public init(tokens: [Int32], targets: [Int32]) {
    precondition(tokens.count == targets.count, "TokenSequence: one target a token")
    self.tokens = tokens
    self.targets = targets
  }

  /// A prompt, which carries no loss, and a completion, every token of which does. The last token of the
  /// completion is only predicted, never read.
  public init(prompt: [Int32], completion: [Int32]) {
    precondition(!prompt.isEmpty && !completion.isEmpty, "TokenSequence: an empty prompt or completion")
    tokens = prompt + completion.dropLast()
    targets = [Int32](repeating: Self.noTarget, count: prompt.count - 1) + completion
  }

  /// The number of tokens that carry loss.
  public var targetCount: Int { targets.reduce(0) { $0 + ($1 == Self.noTarget ? 0 : 1) } }
}

/// Several runs of tokens that go through the model as consecutive rows. Attention never crosses from one
/// sequence to another.
public struct PackedBatch: Sendable, Equatable {
  /// The token of each row.
  public var tokens: [Int32]
  /// The runs.
  public var segments: [AttentionSegment]
  /// The tokens whose log-probability is wanted.
  public var targets: [TargetToken]

  /// Takes the parts as they are.
  public init(tokens: [Int32], segments: [AttentionSegment], targets: [TargetToken]) {
    self.tokens = tokens
    self.segments = segments
    self.targets = targets
  }

  /// Whole sequences, one after the other, without padding.
  public init(_ sequences: [TokenSequence]) {
    tokens = []
    segments = []
    targets = []
    for sequence in sequences {
      let row = tokens.count
      segments.append(AttentionSegment(row: row, count: sequence.tokens.count))
      for (offset, token) in sequence.targets.enumerated() where token != TokenSequence.noTarget {
        targets.append(TargetToken(row: row + offset, token: token))
      }
      tokens += sequence.tokens
    }
  }

  /// The number of rows with a token.
  public var rowCount: Int { tokens.count }
  /// The number of rows that are computed: rounded up so that matrix products come in few shapes. The
  /// rows beyond ``rowCount`` are zero from end to end.
  public var paddedRowCount: Int { Self.padded(tokens.count) }
  /// `rows` rounded up.
  public static func padded(_ rows: Int) -> Int { (rows + 15) / 16 * 16 }
}
