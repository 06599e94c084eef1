import Foundation

/// Decides whether a generated text matches the gold answer.
package enum AnswerMatching {
  /// Whether two free texts are equal after normalisation.
  package static func matches(_ answer: String, _ expected: String) -> Bool {
    normalized(answer) == normalized(expected)
  }

  /// Normalises a text as in SQuAD (Rajpurkar et al., arXiv 1606.05250): lower case, without punctuation and
  /// English articles, single spaces. In addition:
  /// - The text is first converted to Unicode normal form C, and punctuation of all scripts is removed.
  /// - What carries meaning is kept: mathematical and currency symbols (`C++`, `$5`), a minus before a digit, any
  ///   mark between two digits (`3.5`, `8:30`), `%`, `#` after a letter or digit, and `/ * & @` between two.
  /// - If only articles remain, they are the result; if nothing remains, it is the text in lower case.
  package static func normalized(_ text: String) -> String {
    let lower = text.precomposedStringWithCanonicalMapping.lowercased()
    let scalars = Array(lower.unicodeScalars)
    func at(_ index: Int) -> Unicode.Scalar? { scalars.indices.contains(index) ? scalars[index] : nil }
    let kept = scalars.indices.filter { index in
      !isPunctuation(scalars[index])
        || isMeaningful(scalars[index], after: at(index - 1), before: at(index + 1))
    }.map { scalars[$0] }
    let words = String(String.UnicodeScalarView(kept)).split(whereSeparator: \.isWhitespace)
    if words.isEmpty { return String(lower.trimmingWhitespace) }
    let content = words.filter { !["a", "an", "the"].contains($0) }
    return (content.isEmpty ? words : content).joined(separator: " ")
  }

  private static func isPunctuation(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
      .finalPunctuation, .otherPunctuation:
      true
    case .modifierSymbol: scalar.isASCII
    default: false
    }
  }

  /// Whether a punctuation mark changes the meaning of what is beside it.
  private static func isMeaningful(
    _ mark: Unicode.Scalar, after left: Unicode.Scalar?, before right: Unicode.Scalar?
  ) -> Bool {
    func isDigit(_ scalar: Unicode.Scalar?) -> Bool { scalar?.properties.numericType != nil }
    func isWord(_ scalar: Unicode.Scalar?) -> Bool {
      isDigit(scalar) || scalar?.properties.isAlphabetic == true
    }
    if isDigit(left), isDigit(right) { return true }
    switch mark {
    case "-": return isDigit(right) && !isWord(left)
    case "%": return true
    case "#": return isWord(left)
    case "/", "*", "&", "@": return isWord(left) && isWord(right)
    default: return false
    }
  }
}
