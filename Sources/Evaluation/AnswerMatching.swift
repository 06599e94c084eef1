import Foundation

/// When a generated text counts as the recorded one.
package enum AnswerMatching {
  /// Whether two free texts are the same once normalised.
  package static func matches(_ answer: String, _ expected: String) -> Bool {
    normalized(answer) == normalized(expected)
  }

  /// Lower case, without punctuation and English articles, single spaces: the normalisation of SQuAD
  /// (Rajpurkar et al., arXiv 1606.05250), with punctuation of all scripts, after Unicode's form C. Where
  /// that leaves nothing, as of `+` or `a`, the text in lower case itself.
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
