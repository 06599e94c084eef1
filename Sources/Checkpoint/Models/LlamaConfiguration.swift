import SafeFiles

/// The shape of a Llama-family model, whatever format it was read from.
package struct LlamaConfiguration: Sendable, Equatable, Codable {
  /// Rows of the token embedding.
  package var vocabularySize: Int
  /// Width of the residual stream.
  package var hiddenSize: Int
  /// Width of the feed-forward layer.
  package var intermediateSize: Int
  /// Number of transformer layers.
  package var layerCount: Int
  /// Number of query heads.
  package var headCount: Int
  /// Number of key/value heads; divides `headCount`.
  package var keyValueHeadCount: Int
  /// Width of a head; even.
  package var headDimension: Int
  /// The term added to the mean square under RMSNorm's root.
  package var rmsNormEpsilon: Float
  /// The rotary embedding's base.
  package var ropeTheta: Double
  /// A change to the rotary frequencies, or `nil`.
  package var ropeScaling: RopeScaling?
  /// The longest sequence the model was made for.
  package var maximumPositions: Int
  /// Whether the token embedding is also the output head.
  package var tiedEmbeddings: Bool

  /// Creates a configuration.
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

  /// The width of all query heads together.
  package var queryWidth: Int { headCount * headDimension }
  /// The width of all key (or value) heads together.
  package var keyValueWidth: Int { keyValueHeadCount * headDimension }

  /// The largest value of any dimension; products of two stay far below `Int.max`.
  static let largestDimension = 1 << 28

  /// Throws `FileError` naming the first value that cannot be.
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
