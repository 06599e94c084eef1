import Datasets
import SeededRandom

/// A task's possible answers, all of which are always offered.
package protocol WorldAnswer: RawRepresentable<String>, CaseIterable, Hashable, Sendable
where AllCases == [Self] {}

/// Texts from phrases.
enum Wording {
  /// Clauses in random order, as one sentence.
  static func sentence(
    _ clauses: [String], separator: String = ", ", from generator: inout SeededGenerator
  ) -> String {
    capitalized(clauses.shuffled(by: &generator).joined(separator: separator) + ".")
  }

  static func capitalized(_ text: String) -> String {
    text.prefix(1).uppercased() + text.dropFirst()
  }

  /// A number with a fixed number of decimals.
  ///
  /// - Parameter units: the number times 10 to the power of `decimals`; not negative.
  static func decimal(_ units: Int, decimals: Int) -> String {
    let digits = String(units)
    let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
    return padded.dropLast(decimals) + "." + padded.suffix(decimals)
  }

  /// A time of day between 6:00 and 21:59.
  static func time(from generator: inout SeededGenerator) -> String {
    let minute = generator.below(60)
    return "\(6 + generator.below(16)):" + (minute < 10 ? "0\(minute)" : "\(minute)")
  }

  /// An item with all possible answers as options, in random order.
  static func item<Value: WorldAnswer>(
    _ question: String, _ truth: Value, from generator: inout SeededGenerator
  ) -> TaskItem {
    let options = Value.allCases.shuffled(by: &generator)
    guard let answer = options.firstIndex(of: truth) else { preconditionFailure("the answer is an option") }
    return TaskItem(question: question, options: options.map(\.rawValue), answer: answer)
  }
}
