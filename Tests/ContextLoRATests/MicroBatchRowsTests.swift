import ContextLoRA
import LanguageModels
import SeededRandom
import Testing

/// The memory of a step is planned for the largest possible micro-batch.
struct MicroBatchRowsTests {
  @Test("no micro-batch has more rows than were planned", arguments: [nil, 1, 3, 8] as [Int?])
  func bound(samples: Int?) {
    var generator = SeededGenerator(seed: 3)
    for round in 0..<400 {
      let longest = 2 + generator.below(120)
      var options = TrainingOptions()
      options.batchSize = 1 + generator.below(12)
      options.microBatchTokens = 1 + generator.below(200)
      options.microBatchSamples = samples
      let sequences = (0..<options.batchSize).map { _ in
        let count = 1 + generator.below(longest)
        return TokenSequence(
          tokens: (0..<count).map { _ in Int32(generator.below(90)) },
          targets: [Int32](repeating: 1, count: count))
      }
      let batches =
        samples.map { MicroBatching.pack(sequences, samples: $0) }
        ?? MicroBatching.pack(sequences, tokens: options.microBatchTokens)
      let rows = batches.map(\.rowCount).max() ?? 0
      // At most the existing samples, even if the settings allow more.
      #expect(rows <= options.microBatchRows(longest: longest, samples: options.batchSize))
      #expect(rows <= options.microBatchRows(longest: longest, samples: 12), "round \(round)")
    }
  }

  @Test("memory is not planned for more samples than there are")
  func fewSamples() {
    var options = TrainingOptions()
    options.batchSize = 1_000_000
    options.microBatchSamples = 1_000_000
    #expect(options.microBatchRows(longest: 50, samples: 10) == 500)
  }
}
