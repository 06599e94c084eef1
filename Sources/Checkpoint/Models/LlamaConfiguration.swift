import SafeFiles

/// The shape of a Llama-family model, independent of its file format.
package struct LlamaConfiguration: Sendable, Equatable, Codable {
  /// The number of rows of the token embedding.
  package var vocabularySize: Int
  /// The width of the residual stream.
  package var hiddenSize: Int
  /// The width of the MLP's intermediate layer.
  package var intermediateSize: Int
  package var layerCount: Int
  /// The number of query heads.
  package var headCount: Int
  /// The number of key/value heads; a divisor of `headCount`.
  package var keyValueHeadCount: Int
  /// The width of a head; an even number.
  package var headDimension: Int
  /// RMSNorm's epsilon, added to the mean square under the root.
  package var rmsNormEpsilon: Float
  /// The base of the rotary embedding.
  package var ropeTheta: Double
  /// The scaling of the rotary frequencies; `nil` for none.
  package var ropeScaling: RopeScaling?
  /// The longest sequence for which the model was trained.
  package var maximumPositions: Int
  /// Whether the token embedding is also used as the output head.
  package var tiedEmbeddings: Bool

  package init(
    vocabularySize: Int, hiddenSize: Int, intermediateSize: Int, layerCount: Int, headCount: Int,
    keyValueHeadCount: Int, headDimension: Int, rmsNormEpsilon: Float, ropeTheta: Double,
    ropeScaling: RopeScaling? = nil, maximumPositions: Int, tiedEmbeddings: Bool
  ) {
    self.vocabularySize = vocabularySize
    self.hiddenSize = hiddenSize
    self.intermediateSize = intermediateSize
    self.layerCount = layerCount
    self.headCount = headCount
    self.keyValueHeadCount = keyValueHeadCount
    self.headDimension = headDimension
    self.rmsNormEpsilon = rmsNormEpsilon
    self.ropeTheta = ropeTheta
    self.ropeScaling = ropeScaling
    self.maximumPositions = maximumPositions
    self.tiedEmbeddings = tiedEmbeddings
  }

  /// The total width of all query heads.
  package var queryWidth: Int { headCount * headDimension }
  /// The total width of all key (or value) heads.
  package var keyValueWidth: Int { keyValueHeadCount * headDimension }

  /// The longest sequence that is computed: `maximumPositions`, but no more than 131,072 tokens, for which tables
  /// still take little memory.
  package var contextLimit: Int { min(maximumPositions, 1 << 17) }

  /// The upper limit of every dimension; products of two stay far below `Int.max`.
  static let largestDimension = 1 << 28

  /// Checks every value.
  ///
  /// - Throws: `FileError` for the first invalid value.
  func validate(file: String) throws {
    func refuse(_ field: String, _ problem: String) -> FileError {
      FileError(
        .malformed, file: file, field: field, problem: problem,
        remedy: "the model's configuration is damaged: fetch or convert it again")
    }
    let dimensions = [
      ("vocabulary size", vocabularySize), ("hidden size", hiddenSize),
      ("intermediate size", intermediateSize), ("layer count", layerCount), ("head count", headCount),
      ("key/value head count", keyValueHeadCount), ("head dimension", headDimension),
      ("maximum positions", maximumPositions),
    ]
    for (field, value) in dimensions where !(1...Self.largestDimension).contains(value) {
      throw refuse(field, "\(value) is not between 1 and \(Self.largestDimension)")
    }
    guard headCount % keyValueHeadCount == 0 else {
      throw refuse(
        "key/value head count", "\(keyValueHeadCount) does not divide the \(headCount) query heads")
    }
    guard headDimension % 2 == 0 else { throw refuse("head dimension", "\(headDimension) is odd") }
    guard rmsNormEpsilon.isFinite, rmsNormEpsilon >= 0 else {
      throw refuse("RMSNorm epsilon", "\(rmsNormEpsilon) is not a small positive number")
    }
    guard ropeTheta.isFinite, ropeTheta > 0 else {
      throw refuse("rope theta", "\(ropeTheta) is not positive")
    }
    switch ropeScaling {
    case .divisors(let divisors)? where divisors.count != headDimension / 2:
      throw refuse("rope_freqs.weight", "\(divisors.count) divisors for \(headDimension / 2) pairs")
    case .divisors(let divisors)? where !divisors.allSatisfy({ $0.isFinite && $0 > 0 }):
      throw refuse("rope_freqs.weight", "a divisor is not positive")
    default: break
    }
  }
}
