import ContextLoRA
import LanguageModels
import Testing

struct ScheduleTests {
  @Test("a warm-up rises linearly to the peak, a cosine falls to its minimum")
  func rates() {
    let schedule = LearningRateSchedule(peak: 1, shape: .cosine, warmup: 0.2, minimumRatio: 0.1)
    let rates = (1...10).map { schedule.rate(step: $0, total: 10) }
    #expect(rates[0] == 0.5 && rates[1] == 1 && rates[2] == 1)
    #expect(abs(rates[9] - 0.1) < 1e-12)
    for (earlier, later) in zip(rates.dropFirst(2), rates.dropFirst(3)) { #expect(later < earlier) }
    let constant = LearningRateSchedule(peak: 3)
    #expect((1...5).allSatisfy { constant.rate(step: $0, total: 5) == 3 })
    #expect(LearningRateSchedule(peak: 2, shape: .cosine).rate(step: 1, total: 1) == 2)
  }

  @Test("micro-batches keep the order, are balanced, and their number is even")
  func packing() {
    for lengths in [[5], [7, 9], Array(repeating: 10, count: 16), (0..<23).map { 3 + $0 * 7 % 11 }] {
      let sequences = lengths.map { length in
        TokenSequence(
          tokens: (0..<length).map { Int32($0) }, targets: [Int32](repeating: 1, count: length))
      }
      let batches = MicroBatching.pack(sequences, tokens: 25)
      #expect(batches.flatMap(\.tokens) == sequences.flatMap(\.tokens))
      #expect(batches.count == 1 || batches.count % 2 == 0 || batches.count == sequences.count)
      let longest = lengths.max() ?? 0
      #expect(batches.allSatisfy { $0.rowCount <= 25 + longest })
    }
    #expect(MicroBatching.pack([], tokens: 8).isEmpty)
  }
}
