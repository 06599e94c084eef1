/// The options chosen by the forward-only passes of some steps, as far as this rank has received them.
struct AnswerTable {
  /// Marks a sample that uses gold answers.
  static let recorded: Int16 = -1

  private let passes: Int
  /// By step: an option for each pass and sample.
  private var chosen: [Int: [[Int16]]] = [:]

  init(passes: Int) { self.passes = passes }

  /// Sets the options of some samples of a pass.
  mutating func set(step: Int, pass: Int, _ options: [Int16], at samples: Range<Int>, of count: Int) {
    guard passes > 0 else { return }
    var table =
      chosen[step] ?? Array(repeating: Array(repeating: Self.recorded, count: count), count: passes)
    table[pass].replaceSubrange(samples, with: options)
    chosen[step] = table
  }

  /// The option of a sample; `nil` if it uses gold answers.
  func option(step: Int, pass: Int, sample: Int) -> Int? {
    guard let option = chosen[step]?[pass][sample], option != Self.recorded else { return nil }
    return Int(option)
  }

  /// The options of some samples in the first `known` passes, pass by pass, for a message.
  func options(step: Int, known: Int, of samples: Range<Int>) -> [Int16] {
    guard let table = chosen[step] else {
      return Array(repeating: Self.recorded, count: known * samples.count)
    }
    return (0..<known).flatMap { table[$0][samples] }
  }

  /// Stores the result of `options`.
  mutating func read(
    _ options: [Int16], step: Int, known: Int, of samples: Range<Int>, in count: Int
  ) {
    for pass in 0..<known {
      let start = pass * samples.count
      set(
        step: step, pass: pass, Array(options[start..<start + samples.count]), at: samples, of: count)
    }
  }

  mutating func remove(step: Int) { chosen[step] = nil }
}
