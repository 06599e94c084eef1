import Checkpoint
import Locking
import Synchronization
import Tensor

/// A contiguous range of a Llama model's layers with its packed weights, on one device: the whole model, or
/// one stage of a pipeline. The first stage has the embedding, the last one the final norm and the head.
///
/// Unchecked: nothing is merged while a pass is running.
package final class LlamaStage: @unchecked Sendable {
  /// The sizes of the whole model.
  package let configuration: LlamaConfiguration
  /// The transformer blocks of this stage.
  package let layers: Range<Int>
  /// The maximum sequence length.
  package let contextLength: Int
  /// The device of its weights.
  package let device: any ComputeDevice
  /// Whether its weights are packed for backward passes too.
  package let use: PackedUse
  let blocks: [LlamaLayer]
  let rotary: RotaryTable
  let finalNorm: NormWeight?
  /// The head in chunks of the vocabulary; empty except on the last stage.
  let head: [any PackedMatrix]
  private let source: any WeightSource
  /// The lowest layer with merged columns; `nil` if there is none.
  private var lowestMerged: Int?

  /// The number of vocabulary rows in one chunk of the head. The logits of a chunk for one shard stay in
  /// cache.
  static let headChunk = 2048

  /// Loads the weights of `layers`.
  ///
  /// - Parameters:
  ///   - use: whether there are backward passes.
  ///   - firstAdapted: the lowest layer of the model that backward passes go through; layers below it are
  ///     packed for forward passes only.
  /// - Throws: the source's error for a missing or damaged tensor.
  package init(
    _ source: any WeightSource, layers: Range<Int>? = nil, device: any ComputeDevice,
    contextLength: Int? = nil, use: PackedUse = .forwardAndBackward, firstAdapted: Int = 0
  ) throws {
    let configuration = source.configuration
    let layers = layers ?? 0..<configuration.layerCount
    precondition(
      !layers.isEmpty && layers.lowerBound >= 0 && layers.upperBound <= configuration.layerCount,
      "LlamaStage: no such layers")
    self.source = source
    self.configuration = configuration
    self.layers = layers
    self.device = device
    self.use = use
    self.contextLength = min(contextLength ?? configuration.maximumPositions, configuration.maximumPositions)
    rotary = RotaryTable(configuration, positions: self.contextLength, device: device)

    let isLast = layers.upperBound == configuration.layerCount
    let chunks: [Range<Int>] =
      isLast
      ? stride(from: 0, to: configuration.vocabularySize, by: Self.headChunk).map {
        $0..<min($0 + Self.headChunk, configuration.vocabularySize)
      } : []
    let headName: WeightName =
      configuration.tiedEmbeddings || !source.has(.head) ? .tokenEmbedding : .head
    let loaded = Locked<Loaded>(Loaded())
    let work = layers.count + chunks.count
    let next = Atomic<Int>(0)
    device.onEachWorker { _ in
      while true {
        let item = next.add(1, ordering: .relaxed).oldValue
        guard item < work, loaded.withLock({ $0.failure == nil }) else { return }
        do {
          if item < layers.count {
            let layer = layers.lowerBound + item
            let block = try LlamaLayer(
              source, index: layer, device: device, use: layer < firstAdapted ? .forward : use)
            loaded.withLock { $0.blocks[layer] = block }
          } else {
            let rows = chunks[item - layers.count]
            let matrix = try device.freeze(source, headName, rows: rows, use: use)
            loaded.withLock { $0.head[rows.lowerBound] = matrix }
          }
        } catch {
          loaded.withLock { $0.failure = $0.failure ?? error }
        }
      }
    }
    let result = loaded.withLock { $0 }
    if let failure = result.failure { throw failure }
    blocks = layers.compactMap { result.blocks[$0] }
    head = chunks.compactMap { result.head[$0.lowerBound] }
    finalNorm = isLast ? try NormWeight(source, .finalNorm, device: device) : nil
    // The device now has its own layout. The file is read again only for rows of the embedding, and for the
    // layers' weights when columns are merged.
    source.forgetPages()
  }

  private struct Loaded {
    var blocks: [Int: LlamaLayer] = [:]
    var head: [Int: any PackedMatrix] = [:]
    var failure: (any Error)?
  }

  /// Calls `body` while the frozen ones of `columns` are part of the weights, `W0 + s Σ B_j A_j`, so that
  /// columns that do not change while others train cost nothing. Afterwards the weights are the model's own
  /// again, bit for bit.
  ///
  /// - Parameters:
  ///   - wanted: whether to merge. A device that does not store sums never does.
  ///   - body: receives the columns that must still be computed beside the weights. Nothing else may compute
  ///     with the stage meanwhile.
  /// - Throws: the errors of `body`, and the source's error if the weights cannot be read again.
  package func withMerged<Result>(
    _ columns: ColumnView, of adapter: LoRAAdapter, if wanted: Bool = true,
    _ body: (_ computed: ColumnView) throws -> Result
  ) throws -> Result {
    guard wanted, device.storesSums, !columns.frozen.isEmpty else { return try body(columns) }
    let result: Result
    do {
      try merge(adapter, columns: columns.frozen)
      result = try body(ColumnView(frozen: [], trainable: columns.trainable))
    } catch {
      try? merge(adapter, columns: [])
      throw error
    }
    try merge(adapter, columns: [])
    return result
  }

  /// Adds columns to the weights in the model's file; without columns, the weights become the model's own.
  private func merge(_ adapter: LoRAAdapter, columns: [Int]) throws {
    if columns.isEmpty, lowestMerged == nil { return }
    let merged = MergedColumns(adapter, columns)
    let lowest = min(adapter.sites.first?.layer ?? layers.upperBound, lowestMerged ?? layers.upperBound)
    lowestMerged = lowest
    let next = Atomic<Int>(0)
    let failure = Locked<(any Error)?>(nil)
    device.onEachWorker { _ in
      while true {
        let item = next.add(1, ordering: .relaxed).oldValue
        guard item < blocks.count, failure.withLock({ $0 == nil }) else { return }
        if blocks[item].index < lowest { continue }
        do { try blocks[item].merge(merged, source, device: device) } catch {
          failure.withLock { $0 = $0 ?? error }
        }
      }
    }
    if let failure = failure.withLock({ $0 }) { throw failure }
    if columns.isEmpty { lowestMerged = nil }
    source.forgetPages()
  }

  /// Whether this is the first stage, which embeds the tokens.
  package var isFirst: Bool { layers.lowerBound == 0 }
  /// Whether this is the last stage, which computes the logits.
  package var isLast: Bool { layers.upperBound == configuration.layerCount }

  /// Bytes of the packed weights.
  package var weightBytes: Int {
    blocks.reduce(0) { $0 + $1.weightBytes } + head.reduce(0) { $0 + $1.byteCount }
  }

  /// Sets h `[rows, hidden]` float32 to the embeddings of `tokens`; rows beyond them become zero.
  ///
  /// The table is not copied: its rows are read from the mapped file.
  ///
  /// - Throws: the source's error for a damaged file.
  package func embed(_ tokens: [Int32], into h: Matrix, _ operations: any TensorOperations) throws {
    let hidden = configuration.hiddenSize
    let row = UnsafeMutablePointer<Float>.allocate(capacity: hidden)
    defer { row.deallocate() }
    for (index, token) in tokens.enumerated() {
      precondition(
        token >= 0 && token < configuration.vocabularySize, "token \(token) is outside the vocabulary")
      try source.readFloat32(.tokenEmbedding, rows: Int(token)..<Int(token) + 1, into: row)
      operations.write(row, scale: 1, into: h.rows(index..<index + 1))
    }
    operations.zero(h.rows(tokens.count..<h.rows))
  }
}

extension NormWeight {
  convenience init(_ source: any WeightSource, _ name: WeightName, device: any ComputeDevice) throws {
    self.init(try source.float32(name), device: device)
  }
}

extension ComputeDevice {
  /// Packs the weights of a fused projection, stacked.
  func freeze(
    _ source: any WeightSource, _ group: FusedProjection, layer: Int, use: PackedUse,
    adding merged: MergedColumns?
  ) throws -> any PackedMatrix {
    let names = group.projections.map { $0.weight(layer: layer) }
    let shapes = try names.map { try source.shape(of: $0) }
    let inputs = shapes[0][1]
    let outputs = shapes.reduce(0) { $0 + $1[0] }
    return try freeze(outputs: outputs, inputs: inputs, use: use) { target in
      var row = 0
      for (projection, (name, shape)) in zip(group.projections, zip(names, shapes)) {
        try source.readFloat32(name, rows: 0..<shape[0], into: target + row * inputs)
        merged?.add(to: target + row * inputs, projection, layer: layer, self)
        row += shape[0]
      }
    }
  }

  /// Packs some rows of one weight.
  func freeze(_ source: any WeightSource, _ name: WeightName, rows: Range<Int>, use: PackedUse) throws
    -> any PackedMatrix
  {
    try freeze(outputs: rows.count, inputs: source.configuration.hiddenSize, use: use) { target in
      try source.readFloat32(name, rows: rows, into: target)
    }
  }
}
