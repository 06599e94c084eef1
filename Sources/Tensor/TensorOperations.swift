// The one set of operations that a model is written against. A device is added by implementing
// `ComputeDevice` and `TensorOperations`; the models above do not change.
//
// Write contract: every output is overwritten (`=`), except where `accumulate` is given or the
// comment says "adds to". Shapes stand behind each matrix.

/// A weight matrix `[outputs, inputs]` that never changes, laid out as the device multiplies it fastest.
package protocol FrozenMatrix: AnyObject, Sendable {
  /// The number of rows of W.
  var outputs: Int { get }
  /// The number of columns of W.
  var inputs: Int { get }
  /// Bytes held, of all layouts together.
  var byteCount: Int { get }
}

/// Which products a frozen matrix is laid out for.
package enum FrozenUse: Sendable {
  /// `x Wᵀ` only.
  case forward
  /// `x Wᵀ` and `dy W`.
  case forwardAndBackward
}

/// Something that owns memory and computes: this machine's processor, say.
package protocol ComputeDevice: Sendable {
  /// What frozen weights and activations are stored in.
  var computeType: ElementType { get }
  /// How many shards it works on at once.
  var workerCount: Int { get }
  /// Lays out a frozen matrix; `fill` writes its `[outputs, inputs]` float32 values, row-major.
  func freeze(
    outputs: Int, inputs: Int, use: FrozenUse,
    fill: (UnsafeMutablePointer<Float>) throws -> Void
  ) rethrows -> any FrozenMatrix
  /// Whether frozen weights are stored exactly enough to hold small sums beside their own values: float32.
  var storesSums: Bool { get }
  /// Adds a product to float32 values of the host: target `[rows, columns]` += b `[rows, inner]` a `[inner, columns]`,
  /// all row-major.
  func addProduct(
    _ b: [Float], _ a: [Float], rows: Int, inner: Int, columns: Int, to target: UnsafeMutablePointer<Float>)
  /// Zeroed memory.
  func allocate(byteCount: Int) -> DeviceMemory
  /// The operations of one worker, whose products use `threads` threads.
  func makeOperations(threads: Int) -> any TensorOperations
  /// Runs `body` for each worker at once and waits for all. The argument is the worker's number.
  func onEachWorker(_ body: @Sendable (Int) -> Void)
}

/// The rows of keys and values that one run of queries attends to.
package struct KeyRange: Sendable, Equatable {
  /// The first row.
  package var start: Int
  /// The number of rows.
  package var count: Int

  /// Rows `start ..< start + count`.
  package init(start: Int, count: Int) {
    self.start = start
    self.count = count
  }
}

/// A run of consecutive tokens of one sequence.
package struct AttentionSegment: Sendable, Equatable {
  /// The first row of the batch that belongs to it.
  package var row: Int
  /// The number of rows.
  package var count: Int
  /// The position of its first token in its sequence.
  package var position: Int
  /// Rows of the key/value store that come before its own and are seen whole.
  package var past: [KeyRange]
  /// Where its own keys and values stand in the key/value store; seen causally.
  package var keyRow: Int

  /// A segment without a past is a whole sequence.
  package init(row: Int, count: Int, position: Int = 0, past: [KeyRange] = [], keyRow: Int? = nil) {
    self.row = row
    self.count = count
    self.position = position
    self.past = past
    self.keyRow = keyRow ?? row
  }

  /// The rows of the key/value store that are its own.
  package var keys: KeyRange { KeyRange(start: keyRow, count: count) }
}

/// The sizes of an attention layer.
package struct AttentionShape: Sendable, Equatable {
  /// Query heads.
  package var heads: Int
  /// Key/value heads; divides `heads`.
  package var keyValueHeads: Int
  /// Elements of one head; even.
  package var dimension: Int

  /// Grouped-query attention (Ainslie et al., arXiv 2305.13245).
  package init(heads: Int, keyValueHeads: Int, dimension: Int) {
    precondition(heads % keyValueHeads == 0 && dimension % 2 == 0, "AttentionShape: bad sizes")
    self.heads = heads
    self.keyValueHeads = keyValueHeads
    self.dimension = dimension
  }

  /// Query heads that share a key/value head.
  package var group: Int { heads / keyValueHeads }
  /// Columns of a fused query, key and value row.
  package var fusedColumns: Int { (heads + 2 * keyValueHeads) * dimension }
}

/// Keys and values of all rows of a store, head by head: each matrix is `[keyValueHeads * capacity, dimension]`.
package struct KeyValueStore: Sendable {
  /// Rotated keys.
  package var keys: Matrix
  /// Values.
  package var values: Matrix
  /// Rows per head.
  package var capacity: Int

  /// Views of memory that the caller owns.
  package init(keys: Matrix, values: Matrix, capacity: Int) {
    self.keys = keys
    self.values = values
    self.capacity = capacity
  }

  /// Head `head`'s rows of `matrix`.
  func rows(_ matrix: Matrix, head: Int, _ range: KeyRange) -> Matrix {
    let first = head * capacity + range.start
    return matrix.rows(first..<first + range.count)
  }
}

/// A token whose logits are wanted: the loss `-log p(token)` at a row.
package struct TargetToken: Sendable, Equatable {
  /// The row of the hidden states that predicts it.
  package var row: Int
  /// The token's id.
  package var token: Int32

  /// The token to be predicted from `row`.
  package init(row: Int, token: Int32) {
    self.row = row
    self.token = token
  }
}

/// How probable a token is in its place.
package struct TokenScore: Sendable, Equatable {
  /// The natural logarithm of its probability.
  package var logProbability: Float
  /// Whether no token of the vocabulary is more probable: greedy decoding would choose it, or one as probable.
  package var isTop: Bool

  /// A token's score.
  package init(logProbability: Float, isTop: Bool) {
    self.logProbability = logProbability
    self.isTop = isTop
  }
}

/// The constants of AdamW.
package struct AdamWSettings: Sendable, Equatable, Codable {
  /// Decay of the running mean of gradients.
  package var beta1: Double
  /// Decay of the running mean of squared gradients.
  package var beta2: Double
  /// Added to the root of the second moment.
  package var epsilon: Double
  /// Decoupled weight decay, times the learning rate.
  package var weightDecay: Double

  /// PyTorch's defaults, except for the weight decay.
  package init(
    beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8, weightDecay: Double = 0
  ) {
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.weightDecay = weightDecay
  }
}

/// The operations of one worker. Not to be used from two threads at once.
package protocol TensorOperations: AnyObject {
  /// What activations are stored in.
  var computeType: ElementType { get }

  // MARK: Memory

  /// Copies float32 values of the host, times `scale`, into `matrix` `[rows, columns]`, converting.
  func write(_ values: UnsafePointer<Float>, scale: Float, into matrix: Matrix)
  /// Copies `matrix` `[rows, columns]` to float32 values of the host, converting.
  func read(_ matrix: Matrix, into values: UnsafeMutablePointer<Float>)
  /// Sets every element to 0.
  func zero(_ matrix: Matrix)
  /// Copies elements, converting the type; same shape.
  func copy(_ source: Matrix, into destination: Matrix)
  /// Copies the rows `indices` of `source` into the rows of `destination`.
  func gatherRows(_ source: Matrix, _ indices: [Int], into destination: Matrix)
  /// Copies the rows of `source` into the rows `indices` of `destination`.
  func scatterRows(_ source: Matrix, _ indices: [Int], into destination: Matrix)

  // MARK: Products

  /// `c = op(a) op(b)`, or `c += ` with `accumulate`; `op` transposes where asked.
  func matmul(
    _ a: Matrix, transposed aTransposed: Bool, _ b: Matrix, transposed bTransposed: Bool, into c: Matrix,
    accumulate: Bool)
  /// `y = x Wᵀ`: x `[rows, inputs]`, y `[rows, outputs]`, both dense.
  func project(_ x: Matrix, _ weight: any FrozenMatrix, into y: Matrix, accumulate: Bool)
  /// `dx = dy W`: dy `[rows, outputs]`, dx `[rows, inputs]`, both dense.
  func projectBackward(_ dy: Matrix, _ weight: any FrozenMatrix, into dx: Matrix, accumulate: Bool)

  // MARK: Elementwise, forward beside backward

  /// `y += x`, float32, dense, same shape.
  func add(_ x: Matrix, to y: Matrix)

  /// RMSNorm (Zhang and Sennrich, arXiv 1910.07467): x `[rows, n]` float32, weight `[1, n]` float32,
  /// y `[rows, n]`, rstd `[rows, 1]` float32 = 1 / sqrt(mean(x²) + epsilon), which backward needs.
  func rmsNorm(_ x: Matrix, weight: Matrix, epsilon: Float, into y: Matrix, rstd: Matrix)
  /// Adds the gradient with respect to x to `dx` `[rows, n]`; dy, x, dx are float32.
  func rmsNormBackward(dy: Matrix, x: Matrix, weight: Matrix, rstd: Matrix, addTo dx: Matrix)

  /// SwiGLU (Shazeer, arXiv 2002.05202): gateUp `[rows, 2n]` = gate | up, act `[rows, n]` = silu(gate) ∘ up.
  func swiGLU(_ gateUp: Matrix, into act: Matrix)
  /// dAct `[rows, n]` -> dGateUp `[rows, 2n]`; needs gateUp.
  func swiGLUBackward(gateUp: Matrix, dAct: Matrix, into dGateUp: Matrix)

  // MARK: Optimiser

  /// The sum of the squares of a dense float32 matrix, in an order fixed by its size alone.
  func sumOfSquares(_ x: Matrix) -> Double
  /// One AdamW step (Loshchilov and Hutter, arXiv 1711.05101) on dense float32 matrices of one shape;
  /// the gradient is `gradient * gradientScale`.
  func adamW(
    parameters: Matrix, gradient: Matrix, gradientScale: Float, firstMoment: Matrix, secondMoment: Matrix,
    settings: AdamWSettings, learningRate: Float, step: Int)

  // MARK: Attention

  /// Rotary position embedding (Su et al., arXiv 2104.09864, half-split pairs) and causal attention
  /// (softmax(q kᵀ / √dimension) v), segment by segment.
  ///
  /// fused `[rows, fusedColumns]`; cosine, sine `[positions, dimension / 2]` float32.
  /// Writes queries (heads · rows · dimension elements: per segment `[heads, count, dimension]`),
  /// the segments' rows of `store`, out `[rows, heads * dimension]` and
  /// lse `[1, heads * rows]` float32 (per segment `[heads, count]`): what backward needs.
  func attention(
    _ shape: AttentionShape, segments: [AttentionSegment], fused: Matrix, cosine: Matrix, sine: Matrix,
    queries: Matrix, store: KeyValueStore, out: Matrix, lse: Matrix)
  /// dOut `[rows, heads * dimension]` -> dFused `[rows, fusedColumns]`. A past must consist of whole segments
  /// of the batch that stand before the one that looks at them; their gradients sum over all that do.
  func attentionBackward(
    _ shape: AttentionShape, segments: [AttentionSegment], dOut: Matrix, queries: Matrix,
    store: KeyValueStore, out: Matrix, lse: Matrix, cosine: Matrix, sine: Matrix, into dFused: Matrix)

  // MARK: Head

  /// The logits of hidden states: x `[rows, hidden]` -> logits `[rows, vocabulary]` float32.
  func logits(_ x: Matrix, head: [any FrozenMatrix], into logits: Matrix)
  /// Per row the log-probability of `tokens[row]`, and whether it is the most probable token: x `[rows, hidden]`,
  /// head in chunks of the vocabulary.
  func tokenScores(_ x: Matrix, head: [any FrozenMatrix], tokens: [Int32]) -> [TokenScore]
  /// Cross-entropy of `tokens`, one a row, forward and backward:
  /// returns the sum over the rows of -log p, and writes dx `[rows, hidden]` float32 =
  /// `scale` times its gradient with respect to x.
  func crossEntropy(_ x: Matrix, head: [any FrozenMatrix], tokens: [Int32], scale: Float, dx: Matrix)
    -> Double
}
