import Foundation
import LanguageModels
import SeededRandom
import TaskGraph
import Tensor

/// Parameters from which the adapters of all tasks follow.
package protocol SharedParameters: Sendable {
  /// The number of values that train.
  var count: Int { get }
  /// The values to start from.
  var initial: [Float] { get }
  /// The layout of an adapter's columns.
  var layout: TrainableLayout { get }

  /// A task's columns, flat in ``layout``.
  func columns(of task: String, _ parameters: [Float]) -> [Float]
  /// The gradient with respect to the parameters.
  ///
  /// - Parameter gradient: that with respect to the task's columns, flat in ``layout``.
  func gradient(of task: String, _ parameters: [Float], _ gradient: [Float]) -> [Float]
}

/// Gates of MoLE (Wu et al., arXiv 2404.13628): at each layer, the sum of all tasks' frozen LoRAs, each with its share
/// of a softmax. A workflow's tasks are known, so the shares depend on the task and the layer, not on the input; the
/// paper's balancing loss and learned temperature, which keep gates on inputs from collapsing, are left out.
package struct MoLEGates: SharedParameters {
  package let layout: TrainableLayout
  /// The experts' columns, flat.
  private let experts: [Float]
  private let tasks: [String]
  /// For each column, the number of the expert that it belongs to.
  private let expertOfColumn: [Int]
  private let layers: Range<Int>

  /// - Parameters:
  ///   - adapter: the experts' columns side by side.
  ///   - blocks: the columns of each task's expert.
  package init(_ adapter: LoRAAdapter, blocks: RankBlocks) {
    layout = TrainableLayout(modules: adapter.modules, columns: adapter.rank)
    experts = layout.gather(adapter, columns: Array(0..<adapter.rank))
    tasks = blocks.tasks
    expertOfColumn = blocks.blocks.enumerated().flatMap { [Int](repeating: $0, count: $1.columns.count) }
    let used = adapter.modules.map(\.layer)
    layers = (used.min() ?? 0)..<(used.max() ?? -1) + 1
  }

  package var count: Int { tasks.count * layers.count * tasks.count }
  package var initial: [Float] { [Float](repeating: 0, count: count) }

  /// The shares of the experts for a task at a layer.
  private func gates(_ task: String, _ layer: Int, _ parameters: [Float]) -> [Float] {
    let start = offset(task, layer)
    return softmax(parameters[start..<start + tasks.count])
  }

  private func offset(_ task: String, _ layer: Int) -> Int {
    ((tasks.firstIndex(of: task) ?? 0) * layers.count + layer - layers.lowerBound) * tasks.count
  }

  package func columns(of task: String, _ parameters: [Float]) -> [Float] {
    var flat = experts
    for (index, module) in layout.modules.enumerated() {
      let gates = gates(task, module.layer, parameters)
      for row in 0..<module.outputs {
        let start = layout.bOffsets[index] + row * layout.columns
        for column in 0..<layout.columns { flat[start + column] *= gates[expertOfColumn[column]] }
      }
    }
    return flat
  }

  package func gradient(of task: String, _ parameters: [Float], _ gradient: [Float]) -> [Float] {
    var result = [Float](repeating: 0, count: count)
    for (index, module) in layout.modules.enumerated() {
      var products = [Float](repeating: 0, count: tasks.count)
      for row in 0..<module.outputs {
        let start = layout.bOffsets[index] + row * layout.columns
        for column in 0..<layout.columns {
          products[expertOfColumn[column]] += gradient[start + column] * experts[start + column]
        }
      }
      let pulled = softmaxGradient(gates(task, module.layer, parameters), products)
      for (expert, value) in pulled.enumerated() { result[offset(task, module.layer) + expert] += value }
    }
    return result
  }
}

/// The weights of MTL-LoRA (Yang et al., arXiv 2410.09437): `Σ_i softmax(w_t / τ)_i B_i Λ_t A`, with A and all B shared,
/// and Λ and w of each task. The numbers and the start are those of its authors' program: A as in a fresh LoRA, every B
/// zero, every Λ the identity, and w uniform in ±1/√(number of B), which makes the B differ.
package struct MTLParameters: SharedParameters {
  /// The number of B.
  static let experts = 3
  /// τ.
  private static let temperature: Float = 0.1
  package let layout: TrainableLayout
  package let initial: [Float]
  private let tasks: [String]
  private let device: any ComputeDevice
  /// For each target module, the start of its B, Λ and w.
  private let starts: [Int]

  /// - Parameters:
  ///   - adapter: a fresh adapter; its A is the start of the shared one.
  ///   - seed: draws w.
  package init(_ adapter: LoRAAdapter, tasks: [String], seed: UInt64, device: any ComputeDevice) {
    let rank = adapter.rank
    layout = TrainableLayout(modules: adapter.modules, columns: rank)
    (self.tasks, self.device) = (tasks, device)
    var values = Array(layout.gather(adapter, columns: Array(0..<rank))[..<layout.aCount])
    var starts: [Int] = []
    var generator = SeededGenerator(seed: seed, stream: 78)
    let bound = 1 / Float(Self.experts).squareRoot()
    for module in adapter.modules {
      starts.append(values.count)
      values += [Float](repeating: 0, count: Self.experts * module.outputs * rank)
      for _ in tasks { values += (0..<rank * rank).map { $0 % (rank + 1) == 0 ? 1 : 0 } }
      values += (0..<tasks.count * Self.experts).map { _ in (Float(generator.unit()) * 2 - 1) * bound }
    }
    (initial, self.starts) = (values, starts)
  }

  package var count: Int { initial.count }

  /// The number of values of such an adapter.
  static func count(modules: [TargetModule], rank: Int, tasks: Int) -> Int {
    modules.reduce(0) {
      $0 + rank * ($1.inputs + experts * $1.outputs) + tasks * (rank * rank + experts)
    }
  }

  private struct Part {
    /// The starts of each `[outputs, rank]` B, of the `[rank, rank]` Λ, and of the softmax's arguments.
    let b: [Int]
    let lambda, share: Int
    let shares: [Float]
  }

  private func part(_ index: Int, _ task: String, _ parameters: UnsafeBufferPointer<Float>) -> Part {
    let (rank, size) = (layout.columns, bSize(index))
    let number = tasks.firstIndex(of: task) ?? 0
    let lambdas = starts[index] + Self.experts * size
    let share = lambdas + tasks.count * rank * rank + number * Self.experts
    return Part(
      b: (0..<Self.experts).map { starts[index] + $0 * size }, lambda: lambdas + number * rank * rank,
      share: share,
      shares: softmax(parameters[share..<share + Self.experts].map { $0 / Self.temperature }[...]))
  }

  /// The number of values of a target module's B.
  private func bSize(_ index: Int) -> Int { layout.modules[index].outputs * layout.columns }

  /// The shared B, weighted, `[outputs, rank]`.
  private func sum(_ part: Part, _ size: Int, _ parameters: UnsafeBufferPointer<Float>) -> [Float] {
    [Float](unsafeUninitializedCapacity: size) { target, count in
      target.initialize(repeating: 0)
      count = size
      for (start, share) in zip(part.b, part.shares) {
        for place in 0..<size { target[place] += share * parameters[start + place] }
      }
    }
  }

  package func columns(of task: String, _ parameters: [Float]) -> [Float] {
    let rank = layout.columns
    return filled(layout.count) { target in
      parameters.withUnsafeBufferPointer { parameters in
        nonisolated(unsafe) let (target, parameters) = (target, parameters)
        _ = device.mapItems(layout.modules.count) { index, _ in
          let (part, size) = (part(index, task, parameters), bSize(index))
          copy(rank * layout.modules[index].inputs, from: parameters, to: target, at: layout.aOffsets[index])
          let lambda = Array(parameters[part.lambda..<part.lambda + rank * rank])
          device.addProduct(
            sum(part, size, parameters), lambda, rows: layout.modules[index].outputs, inner: rank,
            columns: rank, to: target + layout.bOffsets[index])
        }
      }
    }
  }

  package func gradient(of task: String, _ parameters: [Float], _ gradient: [Float]) -> [Float] {
    let rank = layout.columns
    return filled(count) { target in
      parameters.withUnsafeBufferPointer { parameters in
        gradient.withUnsafeBufferPointer { gradient in
          nonisolated(unsafe) let (target, parameters, gradient) = (target, parameters, gradient)
          _ = device.mapItems(layout.modules.count) { index, _ in
            let (part, size) = (part(index, task, parameters), bSize(index))
            let outputs = layout.modules[index].outputs
            copy(rank * layout.modules[index].inputs, from: gradient, to: target, at: layout.aOffsets[index])
            let own = Array(gradient[layout.bOffsets[index]..<layout.bOffsets[index] + size])
            let weighted = sum(part, size, parameters)
            device.addProduct(
              transpose(weighted, rows: outputs, columns: rank), own, rows: rank, inner: outputs,
              columns: rank, to: target + part.lambda)
            let lambda = Array(parameters[part.lambda..<part.lambda + rank * rank])
            let pulled = filled(size) {
              device.addProduct(
                own, transpose(lambda, rows: rank, columns: rank), rows: outputs, inner: rank, columns: rank,
                to: $0)
            }
            var shares: [Float] = []
            for (start, share) in zip(part.b, part.shares) {
              var product: Float = 0
              for place in 0..<size {
                product += parameters[start + place] * pulled[place]
                target[start + place] = share * pulled[place]
              }
              shares.append(product)
            }
            for (place, value) in softmaxGradient(part.shares, shares).enumerated() {
              target[part.share + place] = value / Self.temperature
            }
          }
        }
      }
    }
  }

  private func copy(
    _ count: Int, from source: UnsafeBufferPointer<Float>, to target: UnsafeMutablePointer<Float>,
    at start: Int
  ) {
    guard let base = source.baseAddress, start + count <= source.count else { return }
    (target + start).update(from: base + start, count: count)
  }

  /// An array of zeros, to be changed in place.
  private func filled(
    _ count: Int, _ body: (UnsafeMutablePointer<Float>) -> Void
  ) -> [Float] {
    var values = [Float](repeating: 0, count: count)
    values.withUnsafeMutableBufferPointer { if let base = $0.baseAddress { body(base) } }
    return values
  }

  private func transpose(_ matrix: [Float], rows: Int, columns: Int) -> [Float] {
    var result = [Float](repeating: 0, count: matrix.count)
    for row in 0..<rows {
      for column in 0..<columns { result[column * rows + row] = matrix[row * columns + column] }
    }
    return result
  }
}

/// The softmax of some values.
private func softmax(_ values: ArraySlice<Float>) -> [Float] {
  let top = values.max() ?? 0
  let powers = values.map { exp($0 - top) }
  let sum = powers.reduce(0, +)
  return powers.map { $0 / sum }
}

/// The gradient with respect to the values of a softmax, from that with respect to its shares.
private func softmaxGradient(_ shares: [Float], _ gradient: [Float]) -> [Float] {
  let mean = zip(shares, gradient).reduce(Float(0)) { $0 + $1.0 * $1.1 }
  return zip(shares, gradient).map { $0 * ($1 - mean) }
}
