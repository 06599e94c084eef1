import Checkpoint
import ContextGear
import LanguageModels
import Tensor

/// Times one device's share of a pipeline: a layer forward and backward, the head, the embedding and the
/// optimiser, one micro-batch at a time as a stage of a pipeline computes it.
///
/// Only a few layers are loaded at a time, so a device can be timed that holds no whole model.
public struct DeviceProfiler: Sendable {
  /// Micro-batch sizes in tokens for the layers, ascending. Default: 16 to 640.
  public var tokens = [16, 64, 128, 200, 340, 640]
  /// The sizes that further rank columns are timed at. Default: 64 and 340.
  public var columnTokens = [64, 340]
  /// Numbers of labelled tokens for the head, ascending. Default: 4 to 256.
  public var labels = [4, 16, 64, 256]
  /// Tokens of one sequence in a micro-batch. Default: 128.
  public var sequenceLength = 128
  /// Rank columns of all seven adapted matrices of a layer; all of them train. A layer is also timed with three
  /// times as many frozen ones beside them, and with four times as many that train. Default: 16.
  public var rank = 16
  /// Rounds of repetitions for each size; the median of their means counts. Default: 3.
  public var rounds = 3
  /// Seconds of one round at least: several periods of a processor quota, which is given out by tenths of a
  /// second. Default: 0.3.
  public var secondsPerRound = 0.3

  /// Called before each pass, outside of the clock. A pass of a pipeline's stage comes after a message: receiving one
  /// here has it timed in the same condition. Default: nothing.
  public var between: @Sendable () throws -> Void = {}

  /// The default settings.
  public init() {}

  /// One thing that is timed.
  public enum Work: Sendable, Hashable, CustomStringConvertible {
    /// A layer, for a micro-batch of so many tokens.
    case layer(tokens: Int)
    /// A layer with other numbers of rank columns.
    case columns(trained: Int, frozen: Int, tokens: Int)
    /// The optimiser's update of a layer.
    case update
    /// The token embedding.
    case embedding(tokens: Int)
    /// The model's last layer, whole and for so many labelled tokens.
    case lastLayer(tokens: Int, labels: Int)
    /// Final norm, head and loss, for so many labelled tokens.
    case head(labels: Int)

    /// In words.
    public var description: String {
      switch self {
      case .layer(let tokens): "a layer, \(tokens) tokens"
      case .columns(let trained, let frozen, let tokens):
        "a layer, \(tokens) tokens, \(trained) columns that train and \(frozen) frozen"
      case .update: "a layer's optimiser update"
      case .embedding(let tokens): "the embedding, \(tokens) tokens"
      case .lastLayer(let tokens, let labels): "the last layer, \(labels) of \(tokens) tokens labelled"
      case .head(let labels): "the head, \(labels) labelled tokens"
      }
    }
  }

  /// Everything that is timed, in order.
  public var work: [Work] {
    tokens.map { .layer(tokens: $0) } + [.update] + embeddingTokens.map { .embedding(tokens: $0) }
      + otherColumns.flatMap { columns in
        columnTokens.map { .columns(trained: columns.trained, frozen: columns.frozen, tokens: $0) }
      } + [lastLayer] + labels.map { .head(labels: $0) }
  }

  private var lastLayer: Work {
    .lastLayer(tokens: tokens[tokens.count / 2], labels: min(16, tokens[tokens.count / 2] / 2))
  }

  private var otherColumns: [(trained: Int, frozen: Int)] { [(rank, 3 * rank), (4 * rank, 0)] }

  /// Rows are copied one by one: two sizes make the line.
  private var embeddingTokens: [Int] { Array(Set([tokens.first, tokens.last].compactMap { $0 })).sorted() }

  /// Times everything.
  ///
  /// - Parameters:
  ///   - weights: the model.
  ///   - device: computes with all its workers on one micro-batch.
  ///   - before: called before each piece of work is timed, once it is warm: where several devices share a
  ///     machine, a barrier here has them timed while the others compute too.
  /// - Throws: what the weight source throws for a damaged file, and what `before` and `between` throw.
  public func measure(
    _ weights: any WeightSource, on device: any ComputeDevice, before: (Work) throws -> Void = { _ in }
  ) throws -> MeasuredTimes {
    precondition(
      !tokens.isEmpty && !columnTokens.isEmpty && (tokens + columnTokens).allSatisfy { $0 > 0 }
        && labels.allSatisfy { $0 > 0 })
    precondition(rank > 0 && rounds > 0 && sequenceLength > 0)
    var times = MeasuredTimes(layer: [], rank: rank, mergesFrozen: device.storesSums)
    // One after the other, so that their weights are not in memory at the same time.
    try measureLayers(weights, device, before, &times)
    try measureHead(weights, device, before, &times)
    return times
  }

  /// Times a layer again, for a micro-batch of one size.
  ///
  /// - Parameters:
  ///   - tokens: one of the sizes.
  ///   - before: called once it is warm.
  /// - Throws: as ``measure(_:on:before:)``.
  public func measureLayer(
    _ weights: any WeightSource, on device: any ComputeDevice, tokens: Int, before: () throws -> Void = {}
  ) throws -> MeasuredTimes.Point {
    let layers = Self.layersToTime(of: weights.configuration)
    let bench = StageBench(
      try stage(weights, layers, device), rows: tokens, trained: rank, sequenceLength: sequenceLength,
      between: between)
    let seconds = try timed(.layer(tokens: tokens), { _ in try before() }, bench.layerRun(tokens: tokens))
    let count = Double(layers.count)
    return MeasuredTimes.Point(tokens: tokens, forward: seconds[0] / count, backward: seconds[1] / count)
  }

  /// Layers of the middle: two, or as many small ones as a processor's caches cannot hold, because a stage that
  /// computes one layer after the other finds none of their weights there.
  package static func layersToTime(of configuration: LlamaConfiguration) -> Range<Int> {
    let hidden = configuration.hiddenSize
    let attention = configuration.headDimension * (configuration.headCount + configuration.keyValueHeadCount)
    let values = hidden * (2 * attention + 3 * configuration.intermediateSize)
    let count = min(max(2, Self.valuesToTime / max(values, 1)), 8, configuration.layerCount)
    let first = (configuration.layerCount - count) / 2
    return first..<first + count
  }

  /// Weights of the timed layers, each of which is stored for both directions.
  private static let valuesToTime = 24 << 20

  private func stage(
    _ weights: any WeightSource, _ layers: Range<Int>, _ device: any ComputeDevice
  ) throws -> LlamaStage {
    try LlamaStage(weights, layers: layers, device: device, contextLength: sequenceLength)
  }

  private func measureLayers(
    _ weights: any WeightSource, _ device: any ComputeDevice, _ before: (Work) throws -> Void,
    _ times: inout MeasuredTimes
  ) throws {
    let stage = try stage(weights, Self.layersToTime(of: weights.configuration), device)
    let layers = stage.layers
    let bench = StageBench(
      stage, rows: tokens.max() ?? 1, trained: rank, sequenceLength: sequenceLength, between: between)
    let count = Double(layers.count)
    for size in tokens {
      let run = try bench.layerRun(tokens: size)
      let seconds = try timed(.layer(tokens: size), before, run)
      times.layer.append(
        MeasuredTimes.Point(tokens: size, forward: seconds[0] / count, backward: seconds[1] / count))
    }
    times.updatePerLayer = try timed(.update, before, bench.updateRun())[0] / count
    for size in embeddingTokens {
      let seconds = try timed(.embedding(tokens: size), before, bench.embeddingRun(tokens: size))
      times.embedding.append(MeasuredTimes.Point(tokens: size, forward: seconds[0], backward: 0))
    }
    for (trained, frozen) in otherColumns {
      let bench = StageBench(
        stage, rows: columnTokens.max() ?? 1, trained: trained, frozen: frozen,
        sequenceLength: sequenceLength,
        between: between
      )
      let points = try columnTokens.map { size in
        let run = try bench.layerRun(tokens: size)
        let seconds = try timed(.columns(trained: trained, frozen: frozen, tokens: size), before, run)
        return MeasuredTimes.Point(tokens: size, forward: seconds[0] / count, backward: seconds[1] / count)
      }
      times.columns.append(ColumnTimes(trained: trained, frozen: frozen, layer: points))
    }
  }

  private func measureHead(
    _ weights: any WeightSource, _ device: any ComputeDevice, _ before: (Work) throws -> Void,
    _ times: inout MeasuredTimes
  ) throws {
    let count = weights.configuration.layerCount
    let bench = StageBench(
      try stage(weights, max(count - 2, 0)..<count, device), rows: (labels + tokens).max() ?? 1,
      trained: rank,
      sequenceLength: sequenceLength, between: between)
    if case .lastLayer(let size, let labelled) = lastLayer {
      let run = try bench.lastLayerRun(tokens: size, labels: labelled)
      let seconds = try timed(lastLayer, before, run)
      times.lastLayerSaves = times.saving(seconds, tokens: size, labels: labelled)
    }
    for size in labels {
      let seconds = try timed(.head(labels: size), before, bench.headRun(labels: size))
      // A pass that trains computes the loss and its gradient in one go; one that does not, the
      // probabilities alone.
      times.head.append(
        MeasuredTimes.Point(
          tokens: size, forward: seconds[0], backward: max(seconds[1] - seconds[0], 0)))
    }
  }

  /// The median over the rounds of the mean seconds of each part of `run`.
  private func timed(
    _ work: Work, _ before: (Work) throws -> Void, _ run: () throws -> [Double]
  ) throws -> [Double] {
    // The first pass prepares the matrix products for its sizes.
    _ = try run()
    try before(work)
    let means = try (0..<rounds).map { _ in
      var (sums, count) = ([Double](), 0.0)
      let start = ContinuousClock.now
      repeat {
        let seconds = try run()
        sums = sums.isEmpty ? seconds : zip(sums, seconds).map { $0 + $1 }
        count += 1
      } while (ContinuousClock.now - start).seconds < secondsPerRound
      return sums.map { $0 / count }
    }
    return means[0].indices.map { part in means.map { $0[part] }.sorted()[rounds / 2] }
  }
}

extension MeasuredTimes {
  /// What the last layer saves, of the time that lies between all rows of a layer and its labelled rows.
  ///
  /// - Parameter seconds: of the last layers, forward and backward, with all rows and with the labelled ones.
  func saving(_ seconds: [Double], tokens: Int, labels: Int) -> Saving {
    let all = layer(tokens: Double(tokens), columns: nil)
    let labelled = layer(tokens: Double(labels), columns: nil)
    func share(_ saved: Double, _ most: Double) -> Double { most > 0 ? min(max(saved / most, 0), 1) : 0 }
    return Saving(
      forward: share(seconds[0] - seconds[2], all.forward - labelled.forward),
      backward: share(seconds[1] - seconds[3], all.backward - labelled.backward))
  }
}

extension Duration {
  var seconds: Double { self / .seconds(1) }
}
