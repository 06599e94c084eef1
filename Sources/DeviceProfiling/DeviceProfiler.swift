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
    /// The adding up of replicas' gradients of a layer.
    case sum
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
      case .sum: "a layer's gradients, added to another device's"
      case .embedding(let tokens): "the embedding, \(tokens) tokens"
      case .lastLayer(let tokens, let labels): "the last layer, \(labels) of \(tokens) tokens labelled"
      case .head(let labels): "the head, \(labels) labelled tokens"
      }
    }
  }

  /// Everything that is timed in a round, in order: the layers' rounds come first, then those of the last layer and the
  /// head.
  public var work: [Work] {
    tokens.map { .layer(tokens: $0) } + [.update, .sum] + embeddingTokens.map { .embedding(tokens: $0) }
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

  /// Times everything, in rounds: each piece of work once a round, so that the repetitions of one lie apart in time and
  /// what disturbs a machine for a while does not disturb them all.
  ///
  /// - Parameters:
  ///   - weights: the model.
  ///   - device: computes with all its workers on one micro-batch.
  ///   - before: called before each piece of work is timed in a round, once it is warm: where several devices share a
  ///     machine, a barrier here has them timed while the others compute too.
  ///   - afterRound: called after each round of the layers' work, with a function that times a pass forward and
  ///     backward through a layer for a micro-batch of the middle size, in seconds: whoever calls it knows which of the
  ///     other devices compute meanwhile.
  /// - Throws: what the weight source throws for a damaged file, and what the functions throw.
  public func measure(
    _ weights: any WeightSource, on device: any ComputeDevice, before: (Work) throws -> Void = { _ in },
    afterRound: (_ pass: () throws -> Double) throws -> Void = { _ in }
  ) throws -> MeasuredTimes {
    precondition(
      !tokens.isEmpty && !columnTokens.isEmpty && (tokens + columnTokens).allSatisfy { $0 > 0 }
        && labels.allSatisfy { $0 > 0 })
    precondition(rank > 0 && rounds > 0 && sequenceLength > 0)
    var times = MeasuredTimes(layer: [], rank: rank, mergesFrozen: device.storesSums)
    // One after the other, so that their weights are not in memory at the same time.
    try measureLayers(weights, device, before, afterRound, &times)
    try measureHead(weights, device, before, &times)
    return times
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
    _ afterRound: (() throws -> Double) throws -> Void, _ times: inout MeasuredTimes
  ) throws {
    let stage = try stage(weights, Self.layersToTime(of: weights.configuration), device)
    let bench = StageBench(
      stage, rows: tokens.max() ?? 1, trained: rank, sequenceLength: sequenceLength, between: between)
    var runs: [Run] = try tokens.map { Run(work: .layer(tokens: $0), try bench.layerRun(tokens: $0)) }
    let middle = runs[runs.count / 2]
    runs += [Run(work: .update, bench.updateRun()), Run(work: .sum, bench.sumRun())]
    runs += embeddingTokens.map { Run(work: .embedding(tokens: $0), bench.embeddingRun(tokens: $0)) }
    for (trained, frozen) in otherColumns {
      let bench = StageBench(
        stage, rows: columnTokens.max() ?? 1, trained: trained, frozen: frozen,
        sequenceLength: sequenceLength, between: between)
      runs += try columnTokens.map {
        Run(
          work: .columns(trained: trained, frozen: frozen, tokens: $0), try bench.layerRun(tokens: $0))
      }
    }
    let count = Double(stage.layers.count)
    var seconds = try timed(runs, before) {
      try afterRound { try Self.mean(middle, seconds: secondsPerRound).reduce(0, +) / count }
    }[...]
    func perLayer(_ sizes: [Int]) -> [MeasuredTimes.Point] {
      sizes.map { size in
        let seconds = seconds.removeFirst()
        return MeasuredTimes.Point(tokens: size, forward: seconds[0] / count, backward: seconds[1] / count)
      }
    }
    times.layer = perLayer(tokens)
    times.updatePerLayer = seconds.removeFirst()[0] / count
    let sum = seconds.removeFirst()
    times.sumPerLayer = SumTimes(copy: sum[0] / count, add: sum[1] / count)
    times.embedding = embeddingTokens.map {
      MeasuredTimes.Point(tokens: $0, forward: seconds.removeFirst()[0], backward: 0)
    }
    times.columns = otherColumns.map {
      ColumnTimes(trained: $0.trained, frozen: $0.frozen, layer: perLayer(columnTokens))
    }
  }

  private func measureHead(
    _ weights: any WeightSource, _ device: any ComputeDevice, _ before: (Work) throws -> Void,
    _ times: inout MeasuredTimes
  ) throws {
    let count = weights.configuration.layerCount
    let bench = StageBench(
      try stage(weights, max(count - 2, 0)..<count, device), rows: (labels + tokens).max() ?? 1,
      trained: rank, sequenceLength: sequenceLength, between: between)
    guard case .lastLayer(let size, let labelled) = lastLayer else { return }
    var runs = [Run(work: lastLayer, try bench.lastLayerRun(tokens: size, labels: labelled))]
    runs += try labels.map { Run(work: .head(labels: $0), try bench.headRun(labels: $0)) }
    let seconds = try timed(runs, before)
    times.lastLayerSaves = times.saving(seconds[0], tokens: size, labels: labelled)
    times.head = zip(labels, seconds.dropFirst()).map { size, seconds in
      // A pass that trains computes the loss and its gradient in one go; one that does not, the
      // probabilities alone.
      MeasuredTimes.Point(tokens: size, forward: seconds[0], backward: max(seconds[1] - seconds[0], 0))
    }
  }

  /// A piece of work, and one repetition of it, which returns the seconds of its parts.
  private struct Run {
    let work: Work
    let once: () throws -> [Double]

    init(work: Work, _ once: @escaping () throws -> [Double]) {
      (self.work, self.once) = (work, once)
    }
  }

  /// For each run the medians over the rounds of the mean seconds of its parts.
  private func timed(
    _ runs: [Run], _ before: (Work) throws -> Void, afterRound: () throws -> Void = {}
  ) throws -> [[Double]] {
    let means = try (0..<rounds).map { _ in
      let means = try runs.map { run in
        // The first pass prepares the matrix products for its sizes.
        _ = try run.once()
        try before(run.work)
        return try Self.mean(run, seconds: secondsPerRound)
      }
      try afterRound()
      return means
    }
    return runs.indices.map { run in
      means[0][run].indices.map { part in means.map { $0[run][part] }.sorted()[rounds / 2] }
    }
  }

  /// The mean seconds of each part, over so many seconds at least.
  private static func mean(_ run: Run, seconds: Double) throws -> [Double] {
    var (sums, count) = ([Double](), 0.0)
    let start = ContinuousClock.now
    repeat {
      let seconds = try run.once()
      sums = sums.isEmpty ? seconds : zip(sums, seconds).map { $0 + $1 }
      count += 1
    } while (ContinuousClock.now - start).seconds < seconds
    return sums.map { $0 / count }
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
