import Foundation

/// Decides whether a generated text matches the gold answer.
package enum AnswerMatching {
  /// Whether two free texts are equal after normalisation.
  package static func matches(_ answer: String, _ expected: String) -> Bool {
    normalized(answer) == normalized(expected)
  }

  /// Normalises a text as in SQuAD (Rajpurkar et al., arXiv 1606.05250): lower case, without punctuation and
  /// English articles, single spaces. In addition, the text is first converted to Unicode normal form C, and
  /// punctuation of all scripts is removed. If nothing would remain, as for `+` or `a`, the result is the
  /// text in lower case.
  package static func normalized(_ text: String) -> String {
    let lower = text.precomposedStringWithCanonicalMapping.lowercased()
    let kept = String(String.UnicodeScalarView(lower.unicodeScalars.filter { !isPunctuation($0) }))
    let words = kept.split(whereSeparator: \.isWhitespace).filter { !["a", "an", "the"].contains($0) }
    return words.isEmpty ? String(lower.trimmingWhitespace) : words.joined(separator: " ")
  }

  private static func isPunctuation(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
      .finalPunctuation, .otherPunctuation:
      true
    case .mathSymbol, .currencySymbol, .modifierSymbol: scalar.isASCII
    default: false
    }
  }
}
