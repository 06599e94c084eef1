// The operations from which models are built. To add a device, implement `ComputeDevice` and
// `TensorOperations`; the models do not change.
//
// Every output is overwritten (`=`), unless `accumulate` is set or the comment says "adds". The comments
// give the shape of each matrix.

/// A packed weight `[outputs, inputs]`: it never changes and has the device's fastest layout for products.
package protocol PackedMatrix: AnyObject, Sendable {
  /// The number of rows of W.
  var outputs: Int { get }
  /// The number of columns of W.
  var inputs: Int { get }
  /// The size in bytes of all its layouts together.
  var byteCount: Int { get }
}

/// The products for which a weight is packed.
package enum PackedUse: Sendable {
  /// Only `x Wᵀ`.
  case forward
  /// `x Wᵀ` and `dy W`.
  case forwardAndBackward
}

/// A device that owns memory and computes, such as this machine's CPU.
package protocol ComputeDevice: Sendable {
  /// The type in which weights and activations are stored.
  var computeType: ElementType { get }
  /// The number of shards that it processes in parallel.
  var workerCount: Int { get }
  /// Packs a weight; `fill` writes its `[outputs, inputs]` float32 values, row-major.
  func freeze(
    outputs: Int, inputs: Int, use: PackedUse,
    fill: (UnsafeMutablePointer<Float>) throws -> Void
  ) rethrows -> any PackedMatrix
  /// Whether packed weights are stored precisely enough to add small numbers to their values: true for
  /// float32.
  var storesSums: Bool { get }
  /// Adds a product to float32 values in host memory, all row-major: target `[rows, columns]` += b
  /// `[rows, inner]` a `[inner, columns]`.
  func addProduct(
    _ b: [Float], _ a: [Float], rows: Int, inner: Int, columns: Int, to target: UnsafeMutablePointer<Float>)
  /// Allocates zeroed memory.
  func allocate(byteCount: Int) -> DeviceMemory
  /// Creates the operations of one worker; its products use `threads` threads.
  func makeOperations(threads: Int) -> any TensorOperations
  /// Runs `body` for each worker in parallel and waits for all. The argument is the worker's index.
  func onEachWorker(_ body: @Sendable (Int) -> Void)
}

/// A range of rows of keys and values to which a segment attends.
package struct KeyRange: Sendable, Equatable {
  /// The first row.
  package var start: Int
  /// The number of rows.
  package var count: Int

  package init(start: Int, count: Int) {
    self.start = start
    self.count = count
  }
}

/// A run of consecutive tokens of one sequence.
package struct AttentionSegment: Sendable, Equatable {
  /// The first row of the segment in the batch.
  package var row: Int
  /// The number of rows.
  package var count: Int
  /// The position of the segment's first token in its sequence.
  package var position: Int
  /// Rows of the key/value store that precede the segment's own. All its tokens attend to them.
  package var past: [KeyRange]
  /// The first row of the segment's own keys and values in the store. Attention to them is causal.
  package var keyRow: Int

  /// Without a past, the segment is a whole sequence.
  package init(row: Int, count: Int, position: Int = 0, past: [KeyRange] = [], keyRow: Int? = nil) {
    self.row = row
    self.count = count
    self.position = position
    self.past = past
    self.keyRow = keyRow ?? row
  }

  /// The segment's own rows of the key/value store.
  package var keys: KeyRange { KeyRange(start: keyRow, count: count) }
}

/// The sizes of an attention layer.
package struct AttentionShape: Sendable, Equatable {
  /// The number of query heads.
  package var heads: Int
  /// The number of key/value heads; a divisor of `heads`.
  package var keyValueHeads: Int
  /// The width of a head; an even number.
  package var dimension: Int

  /// Grouped-query attention (Ainslie et al., arXiv 2305.13245).
  package init(heads: Int, keyValueHeads: Int, dimension: Int) {
    precondition(heads % keyValueHeads == 0 && dimension % 2 == 0, "AttentionShape: bad sizes")
    self.heads = heads
    self.keyValueHeads = keyValueHeads
    self.dimension = dimension
  }

  /// The number of query heads that share a key/value head.
  package var group: Int { heads / keyValueHeads }
  /// The width of a row of the fused queries, keys and values.
  package var fusedColumns: Int { (heads + 2 * keyValueHeads) * dimension }
}

/// The keys and values of all rows of a store, by head: each matrix is
/// `[keyValueHeads * capacity, dimension]`.
package struct KeyValueStore: Sendable {
  /// The keys after rotary embedding.
  package var keys: Matrix
  package var values: Matrix
  /// The number of rows per head.
  package var capacity: Int

  /// Creates a store from views of memory that the caller owns.
  package init(keys: Matrix, values: Matrix, capacity: Int) {
    self.keys = keys
    self.values = values
    self.capacity = capacity
  }

  /// The rows `range` of head `head` in `matrix`.
  func rows(_ matrix: Matrix, head: Int, _ range: KeyRange) -> Matrix {
    let first = head * capacity + range.start
    return matrix.rows(first..<first + range.count)
  }
}

/// A label token: the loss at its row is `-log p(token)`.
package struct TargetToken: Sendable, Equatable {
  /// The row of the hidden states that predicts the token.
  package var row: Int
  package var token: Int32

  package init(row: Int, token: Int32) {
    self.row = row
    self.token = token
  }
}

/// The probability of a token at its position.
package struct TokenScore: Sendable, Equatable {
  /// The natural logarithm of the token's probability.
  package var logProbability: Float
  /// Whether no other token of the vocabulary is more probable, so that greedy decoding would choose this
  /// token or an equally probable one.
  package var isTop: Bool

  package init(logProbability: Float, isTop: Bool) {
    self.logProbability = logProbability
    self.isTop = isTop
  }
}

/// AdamW's hyperparameters.
package struct AdamWSettings: Sendable, Equatable, Codable {
  /// The decay rate of the first moment (the running mean of gradients).
  package var beta1: Double
  /// The decay rate of the second moment (the running mean of squared gradients).
  package var beta2: Double
  /// The term added to the root of the second moment.
  package var epsilon: Double
  /// The decoupled weight decay; it is multiplied by the learning rate.
  package var weightDecay: Double

  /// The defaults are PyTorch's, except for the weight decay.
  package init(
    beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8, weightDecay: Double = 0
  ) {
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.weightDecay = weightDecay
  }
}

/// The operations of one worker. Must not be used by two threads at once.
package protocol TensorOperations: AnyObject {
  /// The type in which activations are stored.
  var computeType: ElementType { get }

  // MARK: Memory

  /// Converts float32 values in host memory, times `scale`, into `matrix` `[rows, columns]`.
  func write(_ values: UnsafePointer<Float>, scale: Float, into matrix: Matrix)
  /// Converts `matrix` `[rows, columns]` to float32 values in host memory.
  func read(_ matrix: Matrix, into values: UnsafeMutablePointer<Float>)
  /// Sets every element to 0.
  func zero(_ matrix: Matrix)
  /// Copies elements between matrices of the same shape, converting the type.
  func copy(_ source: Matrix, into destination: Matrix)
  /// Copies the rows `indices` of `source` into consecutive rows of `destination`.
  func gatherRows(_ source: Matrix, _ indices: [Int], into destination: Matrix)
  /// Copies consecutive rows of `source` into the rows `indices` of `destination`.
  func scatterRows(_ source: Matrix, _ indices: [Int], into destination: Matrix)

  // MARK: Products

  /// `c = op(a) op(b)`, or `c += op(a) op(b)` if `accumulate`. `op` transposes if requested.
  func matmul(
    _ a: Matrix, transposed aTransposed: Bool, _ b: Matrix, transposed bTransposed: Bool, into c: Matrix,
    accumulate: Bool)
  /// `y = x Wᵀ`: x `[rows, inputs]`, y `[rows, outputs]`, both dense.
  func project(_ x: Matrix, _ weight: any PackedMatrix, into y: Matrix, accumulate: Bool)
  /// `dx = dy W`: dy `[rows, outputs]`, dx `[rows, inputs]`, both dense.
  func projectBackward(_ dy: Matrix, _ weight: any PackedMatrix, into dx: Matrix, accumulate: Bool)

  // MARK: Elementwise

  /// `y += x`, float32, dense, same shape.
  func add(_ x: Matrix, to y: Matrix)

  /// RMSNorm (Zhang and Sennrich, arXiv 1910.07467): x `[rows, n]` float32, weight `[1, n]` float32, y
  /// `[rows, n]`, rstd `[rows, 1]` float32 = 1 / sqrt(mean(x²) + epsilon). The backward pass needs rstd.
  func rmsNorm(_ x: Matrix, weight: Matrix, epsilon: Float, into y: Matrix, rstd: Matrix)
  /// Adds the gradient with respect to x to `dx` `[rows, n]`; dy, x, dx are float32.
  func rmsNormBackward(dy: Matrix, x: Matrix, weight: Matrix, rstd: Matrix, addTo dx: Matrix)

  /// SwiGLU (Shazeer, arXiv 2002.05202): gateUp `[rows, 2n]` = gate | up, act `[rows, n]` = silu(gate) ∘ up.
  func swiGLU(_ gateUp: Matrix, into act: Matrix)
  /// dAct `[rows, n]` -> dGateUp `[rows, 2n]`. Needs gateUp from the forward pass.
  func swiGLUBackward(gateUp: Matrix, dAct: Matrix, into dGateUp: Matrix)

  // MARK: Optimiser

  /// The sum of the squares of a dense float32 matrix. The order of summation depends only on its size.
  func sumOfSquares(_ x: Matrix) -> Double
  /// One AdamW step (Loshchilov and Hutter, arXiv 1711.05101) on dense float32 matrices of the same shape.
  /// The gradient is `gradient * gradientScale`.
  func adamW(
    parameters: Matrix, gradient: Matrix, gradientScale: Float, firstMoment: Matrix, secondMoment: Matrix,
    settings: AdamWSettings, learningRate: Float, step: Int)

  // MARK: Attention

  /// Rotary position embedding (Su et al., arXiv 2104.09864, half-split pairs) and causal attention
  /// (softmax(q kᵀ / √dimension) v), segment by segment.
  ///
  /// Inputs: fused `[rows, fusedColumns]`; cosine, sine `[positions, dimension / 2]` float32.
  ///
  /// Outputs: out `[rows, heads * dimension]`, the segments' rows of `store`, and, for the backward pass,
  /// queries (heads · rows · dimension elements; per segment `[heads, count, dimension]`) and lse
  /// `[1, heads * rows]` float32 (per segment `[heads, count]`).
  func attention(
    _ shape: AttentionShape, segments: [AttentionSegment], fused: Matrix, cosine: Matrix, sine: Matrix,
    queries: Matrix, store: KeyValueStore, out: Matrix, lse: Matrix)
  /// dOut `[rows, heads * dimension]` -> dFused `[rows, fusedColumns]`. A past must consist of whole segments
  /// of the batch that come before the segment that attends to them. The gradients of such a segment are
  /// summed over all segments that attend to it.
  func attentionBackward(
    _ shape: AttentionShape, segments: [AttentionSegment], dOut: Matrix, queries: Matrix,
    store: KeyValueStore, out: Matrix, lse: Matrix, cosine: Matrix, sine: Matrix, into dFused: Matrix)

  // MARK: Head

  /// The logits of hidden states: x `[rows, hidden]` -> logits `[rows, vocabulary]` float32.
  func logits(_ x: Matrix, head: [any PackedMatrix], into logits: Matrix)
  /// For each row of x `[rows, hidden]`: the log-probability of `tokens[row]`, and whether it is the most
  /// probable token. `head` is split into chunks of the vocabulary.
  func tokenScores(_ x: Matrix, head: [any PackedMatrix], tokens: [Int32]) -> [TokenScore]
  /// Cross-entropy with one label per row, forward and backward. Returns the sum over the rows of
  /// `-log p(tokens[row])` and writes dx `[rows, hidden]` float32 = `scale` times the gradient of that sum
  /// with respect to x.
  func crossEntropy(_ x: Matrix, head: [any PackedMatrix], tokens: [Int32], scale: Float, dx: Matrix)
    -> Double
}

extension TensorOperations {
  /// The values of `matrix` `[rows, columns]`, row-major.
  package func values(_ matrix: Matrix) -> [Float] {
    // An array without elements is shared by all threads, and this initialiser writes its count.
    guard matrix.count > 0 else { return [] }
    return [Float](unsafeUninitializedCapacity: matrix.count) { buffer, count in
      if let base = buffer.baseAddress { read(matrix, into: base) }
      count = matrix.count
    }
  }
}
