import Checkpoint
import ContextGear
import LanguageModels
import Tensor

/// Times one device's share of a pipeline: a layer forward and backward, the head, the embedding and the
/// optimiser, one micro-batch at a time as a pipeline stage computes it.
///
/// Only a few layers are loaded at a time, so a device that cannot hold the whole model can be timed, too.
package struct DeviceProfiler: Sendable {
  /// Micro-batch sizes in tokens for the layers, ascending. Default: 16 to 640.
  package var tokens = [16, 64, 128, 200, 340, 640]
  /// Micro-batch sizes in tokens for layers with further rank columns. Default: 64 and 340.
  package var columnTokens = [64, 340]
  /// Numbers of labelled tokens for the head, ascending. Default: 4 to 256.
  package var labels = [4, 16, 64, 256]
  /// Tokens per sequence in a micro-batch. Default: 128.
  package var sequenceLength = 128
  /// Trained rank columns of all seven adapted matrices of a layer. A layer is also timed with three times as
  /// many frozen columns in addition, and with four times as many trained columns. Default: 16.
  package var rank = 16
  /// Rounds of repetitions for each size; the result is the median of the rounds' means. Default: 3.
  package var rounds = 3
  /// Minimum seconds per round. The default spans several periods of a processor quota, which are about a
  /// tenth of a second long. Default: 0.3.
  package var secondsPerRound = 0.3

  /// Called before each pass, outside of the timing. In a pipeline, a pass follows a message; receiving one
  /// here reproduces that condition. Default: nothing.
  package var between: @Sendable () throws -> Void = {}

  package init() {}

  /// A piece of work to time.
  package enum Work: Sendable, Hashable, CustomStringConvertible {
    /// A layer, for a micro-batch of `tokens` tokens.
    case layer(tokens: Int)
    /// A layer with other numbers of rank columns.
    case columns(trained: Int, frozen: Int, tokens: Int)
    /// The optimiser update of a layer.
    case update
    /// The summation of replicas' gradients of a layer.
    case sum
    /// The token embedding.
    case embedding(tokens: Int)
    /// The model's last layer, with all rows and with only the labelled ones.
    case lastLayer(tokens: Int, labels: Int)
    /// Final norm, head and loss, for `labels` labelled tokens.
    case head(labels: Int)

    package var description: String {
      switch self {
      case .layer(let tokens): "a layer, \(tokens) tokens"
      case .columns(let trained, let frozen, let tokens):
        "a layer, \(tokens) tokens, \(trained) trained and \(frozen) frozen columns"
      case .update: "a layer's optimiser update"
      case .sum: "a layer's gradients, added to another device's"
      case .embedding(let tokens): "the embedding, \(tokens) tokens"
      case .lastLayer(let tokens, let labels): "the last layer, \(labels) of \(tokens) tokens labelled"
      case .head(let labels): "the head, \(labels) labelled tokens"
      }
    }
  }

  /// All work of a round, in order. All rounds of the layers come before those of the last layer and the
  /// head.
  package var work: [Work] {
    tokens.map { .layer(tokens: $0) } + [.update, .sum] + embeddingTokens.map { .embedding(tokens: $0) }
      + otherColumns.flatMap { columns in
        columnTokens.map { .columns(trained: columns.trained, frozen: columns.frozen, tokens: $0) }
      } + [lastLayer] + labels.map { .head(labels: $0) }
  }

  private var lastLayer: Work { .lastLayer(tokens: lastLayerTokens, labels: lastLayerLabels) }
  private var lastLayerTokens: Int { tokens[tokens.count / 2] }
  private var lastLayerLabels: Int { min(16, lastLayerTokens / 2) }

  private var otherColumns: [(trained: Int, frozen: Int)] { [(rank, 3 * rank), (4 * rank, 0)] }

  /// Rows are copied one by one, so two sizes determine the line.
  private var embeddingTokens: [Int] { Array(Set([tokens.first, tokens.last].compactMap { $0 })).sorted() }

  /// Times everything in rounds, each piece of work once per round. The repetitions are thus spread over
  /// time, and a temporary disturbance of the machine does not affect them all.
  ///
  /// - Parameters:
  ///   - weights: the model.
  ///   - device: computes one micro-batch with all its workers.
  ///   - before: called in each round before a piece of work is timed, after a warm-up pass. If several
  ///     devices share a machine, a barrier here makes them compute at the same time while they are timed.
  ///   - others: the number of other devices of the machine that are timed at the same time.
  ///   - inTurn: lets the devices of a machine do something one after the other. It calls its argument once,
  ///     while the others wait, and returns the result. If given, everything is also timed alone; the result
  ///     then has the times alone and the slowdown beside the others.
  /// - Throws: the weight source's errors for a damaged file, and the closures' errors.
  package func measure(
    _ weights: any WeightSource, on device: any ComputeDevice, before: (Work) throws -> Void = { _ in },
    others: Int = 0, inTurn: ((() throws -> [Double]) throws -> [Double])? = nil
  ) throws -> MeasuredTimes {
    precondition(
      !tokens.isEmpty && !columnTokens.isEmpty && (tokens + columnTokens).allSatisfy { $0 > 0 }
        && labels.allSatisfy { $0 > 0 })
    precondition(rank > 0 && rounds > 0 && sequenceLength > 0)
    var times = MeasuredTimes(layer: [], rank: rank, mergesFrozen: device.storesSums)
    var contention = Contention(factor: 1, others: others)
    // One after the other, so that their weights are not in memory at the same time.
    try measureLayers(weights, device, before, inTurn, &times, &contention)
    try measureHead(weights, device, before, inTurn, &times, &contention)
    if others > 0, inTurn != nil { times.contention = contention }
    return times
  }

  /// Two layers from the middle of the model, or more if they are small, so that a processor's caches cannot
  /// hold them: a stage that computes one layer after the other finds none of their weights there.
  package static func layersToTime(of configuration: LlamaConfiguration) -> Range<Int> {
    let hidden = configuration.hiddenSize
    let attention = configuration.headDimension * (configuration.headCount + configuration.keyValueHeadCount)
    let values = hidden * (2 * attention + 3 * configuration.intermediateSize)
    let count = min(max(2, Self.valuesToTime / max(values, 1)), 8, configuration.layerCount)
    let first = (configuration.layerCount - count) / 2
    return first..<first + count
  }

  /// The number of weights in the timed layers, each of which is stored for both directions.
  private static let valuesToTime = 24 << 20

  private func measureLayers(
    _ weights: any WeightSource, _ device: any ComputeDevice, _ before: (Work) throws -> Void,
    _ inTurn: ((() throws -> [Double]) throws -> [Double])?, _ times: inout MeasuredTimes,
    _ contention: inout Contention
  ) throws {
    let layers = Self.layersToTime(of: weights.configuration)
    let stage = try LlamaStage(weights, layers: layers, device: device, contextLength: sequenceLength)
    let bench = StageBench(
      stage, rows: tokens.max() ?? 1, trained: rank, sequenceLength: sequenceLength, between: between)
    var runs = try tokens.map { Run(work: .layer(tokens: $0), try bench.layerRun(tokens: $0)) }
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
    var results = try timed(runs, before, inTurn)[...]
    func perLayer(_ sizes: [Int]) -> [MeasuredTimes.Point] {
      zip(sizes, results).map { size, result in
        MeasuredTimes.Point(
          tokens: size, forward: result.seconds[0] / count, backward: result.seconds[1] / count)
      }
    }
    times.layer = perLayer(tokens)
    contention.layer = zip(tokens, results).map { Contention.Size(tokens: $0, factor: $1.slowdown) }
    contention.factor = contention.layer.map(\.factor).sorted()[tokens.count / 2]
    results = results.dropFirst(tokens.count)
    let update = results.removeFirst()
    (times.updatePerLayer, contention.update) = (update.seconds[0] / count, update.slowdown)
    let sum = results.removeFirst()
    times.sumPerLayer = SumTimes(copy: sum.seconds[0] / count, add: sum.seconds[1] / count)
    contention.sum = sum.slowdown
    times.embedding = embeddingTokens.map {
      MeasuredTimes.Point(tokens: $0, forward: results.removeFirst().seconds[0], backward: 0)
    }
    times.columns = otherColumns.map {
      defer { results = results.dropFirst(columnTokens.count) }
      return ColumnTimes(trained: $0.trained, frozen: $0.frozen, layer: perLayer(columnTokens))
    }
  }

  private func measureHead(
    _ weights: any WeightSource, _ device: any ComputeDevice, _ before: (Work) throws -> Void,
    _ inTurn: ((() throws -> [Double]) throws -> [Double])?, _ times: inout MeasuredTimes,
    _ contention: inout Contention
  ) throws {
    let count = weights.configuration.layerCount
    let stage = try LlamaStage(
      weights, layers: max(count - 2, 0)..<count, device: device, contextLength: sequenceLength)
    let bench = StageBench(
      stage, rows: (labels + tokens).max() ?? 1, trained: rank, sequenceLength: sequenceLength,
      between: between)
    var runs = [
      Run(work: lastLayer, try bench.lastLayerRun(tokens: lastLayerTokens, labels: lastLayerLabels))
    ]
    runs += try labels.map { Run(work: .head(labels: $0), try bench.headRun(labels: $0)) }
    let results = try timed(runs, before, inTurn)
    times.lastLayerSaves = times.saving(
      results[0].seconds, tokens: lastLayerTokens, labels: lastLayerLabels)
    times.head = zip(labels, results.dropFirst()).map { size, result in
      // A training pass computes the loss and its gradient together; a forward-only pass computes the
      // probabilities alone.
      let (forward, both) = (result.seconds[0], result.seconds[1])
      return MeasuredTimes.Point(tokens: size, forward: forward, backward: max(both - forward, 0))
    }
    contention.head = zip(labels, results.dropFirst()).map {
      Contention.Size(tokens: $0, factor: $1.slowdown)
    }
  }

  /// A piece of work with one repetition of it, which returns the seconds of its parts.
  private struct Run {
    let work: Work
    let once: () throws -> [Double]

    init(work: Work, _ once: @escaping () throws -> [Double]) {
      (self.work, self.once) = (work, once)
    }
  }

  /// The times of one piece of work.
  private struct Result {
    /// Seconds of each part, alone if that was measured.
    var seconds: [Double]
    /// The factor, at least 1, by which all parts took longer beside the other devices.
    var slowdown: Double
  }

  /// For each run, the medians over the rounds.
  private func timed(
    _ runs: [Run], _ before: (Work) throws -> Void, _ inTurn: ((() throws -> [Double]) throws -> [Double])?
  ) throws -> [Result] {
    let rounds = try (0..<rounds).map { _ in
      try runs.map { run in
        // The first pass prepares the matrix products for its sizes.
        _ = try run.once()
        try before(run.work)
        let together = try Self.mean(run, seconds: secondsPerRound)
        guard let inTurn else { return Result(seconds: together, slowdown: 1) }
        let alone = try inTurn { try Self.mean(run, seconds: secondsPerRound) }
        return Result(
          seconds: alone,
          slowdown: together.reduce(0, +) / max(alone.reduce(0, +), .leastNormalMagnitude))
      }
    }
    func median(_ value: (_ round: [Result]) -> Double) -> Double {
      rounds.map(value).sorted()[rounds.count / 2]
    }
    return runs.indices.map { run in
      Result(
        seconds: rounds[0][run].seconds.indices.map { part in median { $0[run].seconds[part] } },
        slowdown: max(median { $0[run].slowdown }, 1))
    }
  }

  /// The mean seconds of each part, over repetitions of at least `seconds` in total.
  private static func mean(_ run: Run, seconds: Double) throws -> [Double] {
    var (sums, count) = ([Double](), 0.0)
    let start = ContinuousClock.now
    repeat {
      let seconds = try run.once()
      sums = sums.isEmpty ? seconds : zip(sums, seconds).map { $0 + $1 }
      count += 1
    } while (ContinuousClock.now - start) / .seconds(1) < seconds
    return sums.map { $0 / count }
  }
}

extension MeasuredTimes {
  /// The last layer's saving, as a share of the difference between a layer's time for all rows and for the
  /// labelled rows.
  ///
  /// - Parameter seconds: the last layers' times, forward and backward, with all rows and with only the
  ///   labelled ones.
  func saving(_ seconds: [Double], tokens: Int, labels: Int) -> Saving {
    let all = layer(tokens: Double(tokens), columns: nil)
    let labelled = layer(tokens: Double(labels), columns: nil)
    func share(_ saved: Double, _ most: Double) -> Double { most > 0 ? min(max(saved / most, 0), 1) : 0 }
    return Saving(
      forward: share(seconds[0] - seconds[2], all.forward - labelled.forward),
      backward: share(seconds[1] - seconds[3], all.backward - labelled.backward))
  }
}
