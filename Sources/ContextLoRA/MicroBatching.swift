import LanguageModels

/// Packs the sequences of one optimiser step into micro-batches.
package enum MicroBatching {
  /// Packs consecutive sequences into micro-batches of nearly equal size, about `tokens` tokens each. If
  /// there is more than one, their number is even, so that two workers finish together. The result depends on
  /// the sequences alone, so that the same batch gives the same sums on every machine.
  package static func pack(_ sequences: [TokenSequence], tokens target: Int) -> [PackedBatch] {
    precondition(target > 0, "MicroBatching: no tokens")
    let total = sequences.reduce(0) { $0 + $1.tokens.count }
    guard total > 0 else { return [] }
    var count = (total + target - 1) / target
    if count > 1, count % 2 == 1 { count += 1 }
    count = min(count, sequences.count)
    var parts: [[TokenSequence]] = Array(repeating: [], count: count)
    var before = 0
    for sequence in sequences {
      // A sequence belongs to the part that contains its middle.
      let middle = before + sequence.tokens.count / 2
      parts[min(middle * count / total, count - 1)].append(sequence)
      before += sequence.tokens.count
    }
    return parts.filter { !$0.isEmpty }.map { PackedBatch($0) }
  }

  /// Packs `samples` consecutive sequences into each micro-batch; the last one may have fewer.
  package static func pack(_ sequences: [TokenSequence], samples: Int) -> [PackedBatch] {
    precondition(samples > 0, "MicroBatching: no samples")
    return stride(from: 0, to: sequences.count, by: samples).map {
      PackedBatch(Array(sequences[$0..<min($0 + samples, sequences.count)]))
    }
  }
}
