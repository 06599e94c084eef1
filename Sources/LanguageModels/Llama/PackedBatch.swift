import Tensor

/// One sequence to train on or to score.
package struct TokenSequence: Sendable, Equatable {
  /// Token ids.
  package var tokens: [Int32]
  /// The labels, one per token: the token to predict from each position, or ``noTarget``.
  package var targets: [Int32]

  /// The ignore index: a label without loss.
  package static let noTarget: Int32 = -1

  /// - Precondition: there are as many labels as tokens.
  package init(tokens: [Int32], targets: [Int32]) {
    precondition(tokens.count == targets.count, "TokenSequence: one label per token")
    self.tokens = tokens
    self.targets = targets
  }

  /// A prompt without loss, and a completion with a loss on every token. The last token of the completion is
  /// only predicted, never an input.
  package init(prompt: [Int32], completion: [Int32]) {
    precondition(!prompt.isEmpty && !completion.isEmpty, "TokenSequence: an empty prompt or completion")
    tokens = prompt + completion.dropLast()
    targets = [Int32](repeating: Self.noTarget, count: prompt.count - 1) + completion
  }

  /// The tokens before the first that carries loss; never all of them.
  var tokensWithoutLoss: ArraySlice<Int32> {
    targets.firstIndex { $0 != Self.noTarget }.map { tokens.prefix($0) } ?? tokens.dropLast()
  }

  /// The number of tokens that carry loss.
  package var targetCount: Int { targets.reduce(0) { $0 + ($1 == Self.noTarget ? 0 : 1) } }
}

/// Several runs of tokens that go through the model as consecutive rows. No sequence attends to another one.
package struct PackedBatch: Sendable, Equatable {
  /// The token of each row.
  package var tokens: [Int32]
  /// The runs.
  package var segments: [AttentionSegment]
  /// The labels: tokens with their row.
  package var targets: [TargetToken]

  package init(tokens: [Int32], segments: [AttentionSegment], targets: [TargetToken]) {
    self.tokens = tokens
    self.segments = segments
    self.targets = targets
  }

  /// Packs whole sequences one after the other, without padding. The shared prefix of all sequences that
  /// carries no loss, such as a task's instruction, is computed once: it comes first, and every sequence
  /// attends to it.
  package init(_ sequences: [TokenSequence]) {
    let prefix = Self.sharedPrefix(sequences.map(\.tokensWithoutLoss))
    self.init(prefix: sequences.first?.tokens.prefix(prefix) ?? [])
    let shared = segments.map(\.keys)
    for sequence in sequences {
      let row = tokens.count - prefix
      append(sequence.tokens.dropFirst(prefix), position: prefix, past: shared)
      for (offset, token) in sequence.targets.enumerated() where token != TokenSequence.noTarget {
        targets.append(TargetToken(row: row + offset, token: token))
      }
    }
  }

  /// Packs prompts, each followed by its continuations without their last token, which is only predicted. The
  /// shared prefix of all prompts is computed once.
  package init(_ requests: [ScoreRequest]) {
    let prefix = Self.sharedPrefix(requests.map { $0.prompt.dropLast() })
    self.init(prefix: requests.first?.prompt.prefix(prefix) ?? [])
    let shared = segments.map(\.keys)
    for request in requests {
      append(request.prompt.dropFirst(prefix), position: prefix, past: shared)
      let past = shared + segments.suffix(1).map(\.keys)
      let last = tokens.count - 1
      for continuation in request.continuations {
        targets.append(TargetToken(row: last, token: continuation[0]))
        let row = tokens.count
        append(continuation.dropLast(), position: request.prompt.count, past: past)
        for (offset, token) in continuation.dropFirst().enumerated() {
          targets.append(TargetToken(row: row + offset, token: token))
        }
      }
    }
  }

  private init(prefix: ArraySlice<Int32>) {
    self.init(tokens: [], segments: [], targets: [])
    append(prefix, position: 0, past: [])
  }

  private mutating func append(_ run: ArraySlice<Int32>, position: Int, past: [KeyRange]) {
    if run.isEmpty { return }
    segments.append(AttentionSegment(row: tokens.count, count: run.count, position: position, past: past))
    tokens += run
  }

  /// A shorter shared prefix is computed with each sequence, because an extra segment would cost more than it
  /// saves.
  static let shortestSharedPrefix = 8

  /// Whether a shared prefix of `count` tokens is computed once.
  static func isWorthSharing(_ count: Int) -> Bool { count >= shortestSharedPrefix }

  /// The length of the prefix shared by several runs that one pass computes once; 0 if sharing does not pay.
  package static func sharedPrefix(_ runs: [ArraySlice<Int32>]) -> Int {
    guard let first = runs.first, runs.count > 1 else { return 0 }
    let shared = runs.dropFirst().reduce(first.count) { count, run in
      min(count, zip(first, run).prefix { $0 == $1 }.count)
    }
    return isWorthSharing(shared) ? shared : 0
  }

  /// The number of tokens of the sequences; a shared prefix counts for each of them.
  package var sequenceTokenCount: Int {
    let lookedAt = Set(segments.flatMap { $0.past.map(\.start) })
    return segments.reduce(0) { lookedAt.contains($1.keyRow) ? $0 : $0 + $1.position + $1.count }
  }

  /// The rows with a label, each once.
  package var targetRows: [Int] { Set(targets.map(\.row)).sorted() }

  /// The number of rows with a token.
  package var rowCount: Int { tokens.count }
  /// The number of rows computed: ``rowCount`` rounded up, because matrix products take rows in fours. The
  /// additional rows are zero in every layer.
  package var paddedRowCount: Int { Self.padded(tokens.count) }
  /// `rows` rounded up to a multiple of 4; up to 4 rows, as in generation, stay as they are.
  package static func padded(_ rows: Int) -> Int { rows <= 4 ? rows : (rows + 3) / 4 * 4 }
}
