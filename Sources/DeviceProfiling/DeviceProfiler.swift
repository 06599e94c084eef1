import Checkpoint
import ContextGear
import LanguageModels
import Tensor

/// Times one device's share of a pipeline: a layer forward and backward, the head, the embedding and the
/// optimiser, one micro-batch at a time as a stage of a pipeline computes it.
///
/// Only a few layers are loaded at a time, so a device can be timed that holds no whole model.
public struct DeviceProfiler: Sendable {
  /// Micro-batch sizes in tokens for the layers, ascending. Default: 16 to 512.
  public var tokens = [16, 64, 128, 256, 512]
  /// Numbers of labelled tokens for the head, ascending. Default: 4 to 256.
  public var labels = [4, 16, 64, 256]
  /// Tokens of one sequence in a micro-batch. Default: 128.
  public var sequenceLength = 128
  /// Rank columns of all seven adapted matrices of a layer; all of them train. Default: 32.
  public var rank = 32
  /// Rounds of repetitions for each size; the median of their means counts. Default: 3.
  public var rounds = 3
  /// Seconds of one round at least: several periods of a processor quota, which is given out by tenths of a
  /// second. Default: 0.3.
  public var secondsPerRound = 0.3

  /// The default settings.
  public init() {}

  /// One thing that is timed.
  public enum Work: Sendable, Hashable, CustomStringConvertible {
    /// A layer, for a micro-batch of so many tokens.
    case layer(tokens: Int)
    /// The optimiser's update of a layer.
    case update
    /// The token embedding.
    case embedding(tokens: Int)
    /// Final norm, head and loss, for so many labelled tokens.
    case head(labels: Int)

    /// In words.
    public var description: String {
      switch self {
      case .layer(let tokens): "a layer, \(tokens) tokens"
      case .update: "a layer's optimiser update"
      case .embedding(let tokens): "the embedding, \(tokens) tokens"
      case .head(let labels): "the head, \(labels) labelled tokens"
      }
    }
  }

  /// Everything that is timed, in order.
  public var work: [Work] {
    tokens.map { .layer(tokens: $0) } + [.update] + embeddingTokens.map { .embedding(tokens: $0) }
      + labels.map { .head(labels: $0) }
  }

  /// Rows are copied one by one: two sizes make the line.
  private var embeddingTokens: [Int] { Array(Set([tokens.first, tokens.last].compactMap { $0 })).sorted() }

  /// Times everything.
  ///
  /// - Parameters:
  ///   - weights: the model.
  ///   - device: computes with all its workers on one micro-batch.
  ///   - before: called before each piece of work is timed, once it is warm: where several devices share a
  ///     machine, a barrier here has them timed while the others compute too.
  /// - Throws: what the weight source throws for a damaged file, and what `before` throws.
  public func measure(
    _ weights: any WeightSource, on device: any ComputeDevice, before: (Work) throws -> Void = { _ in }
  ) throws -> MeasuredTimes {
    precondition(!tokens.isEmpty && tokens.allSatisfy { $0 > 0 } && labels.allSatisfy { $0 > 0 })
    precondition(rank > 0 && rounds > 0 && sequenceLength > 0)
    var times = MeasuredTimes(layer: [])
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
    let layers = Self.layersToTime(of: weights.configuration.layerCount)
    let bench = try StageBench(
      weights, layers: layers, device: device, rows: tokens, rank: rank, sequenceLength: sequenceLength)
    let seconds = try timed(.layer(tokens: tokens), { _ in try before() }, bench.layerRun(tokens: tokens))
    let count = Double(layers.count)
    return MeasuredTimes.Point(tokens: tokens, forward: seconds[0] / count, backward: seconds[1] / count)
  }

  /// Layers of the middle: the first one's backward pass leaves out the gradient of its input.
  package static func layersToTime(of count: Int) -> Range<Int> {
    let first = max(min(1, count - 1), count / 2 - 1)
    return first..<min(first + 2, count)
  }

  private func measureLayers(
    _ weights: any WeightSource, _ device: any ComputeDevice, _ before: (Work) throws -> Void,
    _ times: inout MeasuredTimes
  ) throws {
    let layers = Self.layersToTime(of: weights.configuration.layerCount)
    let bench = try StageBench(
      weights, layers: layers, device: device, rows: tokens.max() ?? 1, rank: rank,
      sequenceLength: sequenceLength)
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
  }

  private func measureHead(
    _ weights: any WeightSource, _ device: any ComputeDevice, _ before: (Work) throws -> Void,
    _ times: inout MeasuredTimes
  ) throws {
    let count = weights.configuration.layerCount
    let bench = try StageBench(
      weights, layers: count - 1..<count, device: device, rows: labels.max() ?? 1, rank: rank,
      sequenceLength: sequenceLength)
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

extension Duration {
  var seconds: Double { self / .seconds(1) }
}
