import StrictYAML

/// The sizes of a model that determine its cost.
package struct ModelShape: Codable, StrictlyDecodable, Hashable, Sendable {
  /// Transformer layers.
  package var layers: Int
  /// Width of the residual stream.
  package var hidden: Int
  /// Query heads.
  package var heads: Int
  /// Key/value heads.
  package var keyValueHeads: Int
  /// Width of a head.
  package var headDimension: Int
  /// Width of the MLP.
  package var feedForward: Int
  /// Rows of the token embedding.
  package var vocabulary: Int
  /// Whether the token embedding is also the head.
  package var tiedHead: Bool
  /// Bytes of a stored weight or activation.
  package var valueBytes: Int
  /// Copies of the frozen weights on a device that trains. The CPU engine packs one copy for each direction.
  package var trainingCopies: Int
  /// Rank columns of every adapted linear layer (all seven of a transformer layer).
  package var rank: Int
  /// The first adapted layer. The layers below it train nothing and need no backward pass.
  package var firstAdapted: Int

  package init(
    layers: Int, hidden: Int, heads: Int, keyValueHeads: Int, headDimension: Int, feedForward: Int,
    vocabulary: Int, tiedHead: Bool = true, valueBytes: Int = 2, trainingCopies: Int = 2, rank: Int = 16,
    firstAdapted: Int = 0
  ) {
    (self.layers, self.hidden, self.heads) = (layers, hidden, heads)
    (self.keyValueHeads, self.headDimension) = (keyValueHeads, headDimension)
    (self.feedForward, self.vocabulary, self.tiedHead) = (feedForward, vocabulary, tiedHead)
    (self.valueBytes, self.trainingCopies, self.rank) = (valueBytes, trainingCopies, rank)
    self.firstAdapted = firstAdapted
  }

  /// Reads a shape. The defaults of a file are those of a model whose head is not its embedding.
  ///
  /// - Throws: `FieldError` for a size beyond every model: within the limits, no product of sizes overflows.
  package init(_ field: Field) throws(FieldError) {
    let fields = try StrictFields(
      field,
      known: [
        "layers", "hidden", "heads", "keyValueHeads", "headDimension", "feedForward", "vocabulary",
        "tiedHead", "valueBytes", "trainingCopies", "rank", "firstAdapted",
      ])
    func size(_ key: String, _ most: Int, default value: Int? = nil) throws(FieldError) -> Int {
      let given = try fields[key]?.integer(1...most) ?? value
      guard let given, given <= most else {
        let problem = given.map { "\($0) is outside 1...\(most)" } ?? "is missing"
        throw fields.error(key, problem, "use a whole number in 1...\(most)")
      }
      return given
    }
    let widest = 1 << 20
    layers = try size("layers", 1024)
    hidden = try size("hidden", widest)
    heads = try size("heads", 1 << 12)
    keyValueHeads = try size("keyValueHeads", 1 << 12, default: heads)
    headDimension = try size("headDimension", 1 << 12, default: max(hidden / heads, 1))
    feedForward = try size("feedForward", widest)
    vocabulary = try size("vocabulary", 1 << 24)
    tiedHead = try fields["tiedHead"]?.boolean() ?? false
    valueBytes = try size("valueBytes", 8, default: 2)
    trainingCopies = try size("trainingCopies", 4, default: 2)
    rank = try size("rank", 1 << 16, default: 16)
    firstAdapted = try fields["firstAdapted"]?.integer(0...layers - 1) ?? 0
  }

  /// Identifies a shape, as in `30x576x1536x49152`. Measured times are valid for one shape.
  package var signature: String { "\(layers)x\(hidden)x\(feedForward)x\(vocabulary)" }

  private var queryWidth: Int { heads * headDimension }
  private var keyValueWidth: Int { keyValueHeads * headDimension }

  /// Frozen values of one layer: four attention matrices, three of the MLP, two norms.
  package var layerParameters: Int {
    hidden * (2 * queryWidth + 2 * keyValueWidth + 3 * feedForward + 2)
  }

  /// The share of a layer's matrix products that come after attention: its output projection and the MLP.
  var shareAfterAttention: Double {
    Double(hidden * (queryWidth + 3 * feedForward)) / Double(layerParameters)
  }

  /// Values per rank column in one layer: `in + out` of the seven adapted matrices.
  package var columnValues: Int {
    2 * (hidden + queryWidth) + 2 * (hidden + keyValueWidth) + 3 * (hidden + feedForward)
  }

  /// The number of the layers that are adapted.
  func adapted(_ layers: Range<Int>) -> Int {
    max(layers.upperBound - max(layers.lowerBound, firstAdapted), 0)
  }

  /// Bytes of the token embedding, or of a separate head.
  package var embeddingBytes: Int { vocabulary * hidden * valueBytes }
  /// Bytes of one copy of a layer's frozen weights.
  package var layerBytes: Int { layerParameters * valueBytes }

  /// The shape in the number format that a device was measured with.
  func stored(on device: Device) -> ModelShape {
    guard case .measured(let times) = device.speed, let bytes = times.valueBytes else { return self }
    var copy = self
    copy.valueBytes = bytes
    return copy
  }

  /// FLOPs of one layer for `tokens` rows of sequences of `context` tokens: two per token for each weight and
  /// adapter value, and the scores and weighted values of causal attention (half of the square).
  package func forwardFLOPs(tokens: Double, context: Double) -> Double {
    tokens * (2 * Double(layerParameters + rank * columnValues) + 2 * context * Double(queryWidth))
  }

  /// FLOPs of one layer's backward pass: the input's gradient through frozen weights (as much as forward),
  /// the gradients of the adapter's input and both factors (twice as much), and attention with recomputed
  /// scores (five products instead of two).
  package func backwardFLOPs(tokens: Double, context: Double) -> Double {
    tokens * (2 * Double(layerParameters + 2 * rank * columnValues) + 5 * context * Double(queryWidth))
  }

  /// FLOPs of the head in one direction for labelled tokens.
  package func headFLOPs(labels: Double) -> Double { 2 * labels * Double(vocabulary * hidden) }

  /// Bytes per token that one layer keeps for the backward pass: two residual streams in float32 with their
  /// norms, queries, keys, values, the attention output with its softmax sums, gate and up, and the adapters'
  /// `A x`.
  package var activationBytes: Int {
    8 * hidden + 4 * (heads + 2) + valueBytes
      * (2 * queryWidth + 2 * keyValueWidth + 2 * feedForward + 7 * rank)
  }

  /// Bytes per token that a pass through a layer needs, whatever the number of layers: a normalised input,
  /// queries, keys and values before rotation, the product of gate and up, and rows selected in the last
  /// layer. A backward pass also needs the gradients of these, of gate and up, and of a projection's input
  /// and output.
  func scratchBytes(backward: Bool) -> Int {
    let forward =
      4 * hidden + valueBytes * (hidden + 2 * queryWidth + 2 * keyValueWidth + feedForward)
    let gradients = 4 * hidden + valueBytes * (hidden + queryWidth + 3 * feedForward + 6 * rank)
    return backward ? forward + gradients : forward
  }
}
