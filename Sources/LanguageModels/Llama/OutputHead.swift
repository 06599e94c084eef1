import Checkpoint
import Tensor

/// The end of a model: the final norm, then the projection to the vocabulary. Each method computes only the
/// rows it is asked for.
struct OutputHead: Sendable {
  private let norm: RMSNormWeight
  /// The projection in chunks of the vocabulary, because the logits of a chunk for one shard stay in cache.
  private let chunks: [any PackedMatrix]
  private let configuration: LlamaConfiguration
  private let device: any ComputeDevice

  /// - Parameter chunks: the packed weights of ``chunkRows(_:)``.
  /// - Throws: the source's error for a missing or damaged tensor.
  init(_ source: any WeightSource, chunks: [any PackedMatrix], device: any ComputeDevice) throws {
    norm = try RMSNormWeight(source, .finalNorm, device: device)
    (self.chunks, self.device) = (chunks, device)
    configuration = source.configuration
  }

  /// Bytes of the packed weights.
  var weightBytes: Int { chunks.reduce(0) { $0 + $1.byteCount } }

  // MARK: Loading

  /// The rows of the vocabulary in each chunk.
  static func chunkRows(_ configuration: LlamaConfiguration) -> [Range<Int>] {
    let size = 2048
    return stride(from: 0, to: configuration.vocabularySize, by: size).map {
      $0..<min($0 + size, configuration.vocabularySize)
    }
  }

  /// Packs one chunk; a tied head has the weight of the token embedding.
  static func loadChunk(
    _ source: any WeightSource, rows: Range<Int>, device: any ComputeDevice, use: PackedUse
  ) throws -> any PackedMatrix {
    let configuration = source.configuration
    let name: WeightName = configuration.tiedEmbeddings || !source.has(.head) ? .tokenEmbedding : .head
    return try device.freeze(outputs: rows.count, inputs: configuration.hiddenSize, use: use) { target in
      try source.readFloat32(name, rows: rows, into: target)
    }
  }

  // MARK: Computing

  /// The sum of -log p over the labels. Sets dh to `scale` times its gradient with respect to h; both are
  /// `[rows, hidden]` float32.
  func loss(
    _ h: Matrix, _ targets: [TargetToken], scale: Float, into dh: Matrix, _ operations: any TensorOperations
  ) -> Double {
    let rows = targets.map(\.row)
    return normed(h, rows: rows, backward: true, operations) { buffers in
      let loss = operations.crossEntropy(
        buffers.y, head: chunks, tokens: targets.map(\.token), scale: scale, dx: buffers.dy)
      norm.backward(buffers.dy, x: buffers.x, rstd: buffers.rstd, addTo: buffers.dx, operations)
      operations.zero(dh)
      operations.scatterRows(buffers.dx, rows, into: dh)
      return loss
    }
  }

  /// The score of each label.
  func tokenScores(_ h: Matrix, _ targets: [TargetToken], _ operations: any TensorOperations) -> [TokenScore]
  {
    normed(h, rows: targets.map(\.row), operations) {
      operations.tokenScores($0.y, head: chunks, tokens: targets.map(\.token))
    }
  }

  /// The logits `[rows.count, vocabulary]` of some rows.
  func logits(_ h: Matrix, rows: [Int], _ operations: any TensorOperations) -> [Float] {
    normed(h, rows: rows, operations) { buffers in
      let (count, vocabulary) = (rows.count, configuration.vocabularySize)
      let memory = device.allocate(byteCount: count * vocabulary * 4)
      let logits = memory.matrix(rows: count, columns: vocabulary, type: .float32)
      return withExtendedLifetime(memory) {
        operations.logits(buffers.y, head: chunks, into: logits)
        return operations.values(logits)
      }
    }
  }

  private struct Buffers {
    /// The wanted rows, `[rows, hidden]` float32; the same normalised; 1 / root mean square.
    let x, y, rstd: Matrix
    /// The gradients of y and x, `[rows, hidden]` float32, zero at first; without rows if not wanted.
    let dy, dx: Matrix
  }

  private func normed<Result>(
    _ h: Matrix, rows: [Int], backward: Bool = false, _ operations: any TensorOperations,
    _ body: (Buffers) -> Result
  ) -> Result {
    let (count, hidden) = (rows.count, configuration.hiddenSize)
    let (memory, buffers) = device.allocate { plan in
      Buffers(
        x: plan.matrix(rows: count, columns: hidden, type: .float32),
        y: plan.matrix(rows: count, columns: hidden, type: device.computeType),
        rstd: plan.matrix(rows: count, columns: 1, type: .float32),
        dy: plan.matrix(rows: backward ? count : 0, columns: hidden, type: .float32),
        dx: plan.matrix(rows: backward ? count : 0, columns: hidden, type: .float32))
    }
    return withExtendedLifetime(memory) {
      operations.gatherRows(h, rows, into: buffers.x)
      norm.forward(buffers.x, into: buffers.y, rstd: buffers.rstd, operations)
      return body(buffers)
    }
  }
}
