import ContextLoRA
import LanguageModels
import Methods
import SeededRandom
import TaskGraph
import Tensor
import TestSupport
import Testing

/// Gradients agree with finite differences of a linear function of the columns.
struct SharedParametersTests {
  private static let tasks = ["a", "b", "c"]
  private static let widths = [1, 3, 2]
  private static let device = CPUDevice(computeType: .float32, workers: 2)
  private static let modules: [TargetModule] = [
    TargetModule(layer: 1, projection: .q_proj, outputs: 7, inputs: 5),
    TargetModule(layer: 1, projection: .down_proj, outputs: 5, inputs: 8),
    TargetModule(layer: 3, projection: .q_proj, outputs: 7, inputs: 5),
  ]

  private static func random(_ count: Int, _ generator: inout SeededGenerator) -> [Float] {
    (0..<count).map { _ in Float(generator.unit() - 0.5) }
  }

  private static func adapter(rank: Int) -> LoRAAdapter {
    var generator = SeededGenerator(seed: 2)
    return LoRAAdapter(
      modules: modules, rank: rank, scale: 2,
      pairs: modules.map {
        LoRAPair(a: random(rank * $0.inputs, &generator), b: random($0.outputs * rank, &generator))
      })
  }

  static let kinds: [String] = ["mole", "mtl"]

  private static func parameters(_ kind: String) throws -> any SharedParameters {
    kind == "mole"
      ? MoLEGates(adapter(rank: 6), blocks: try RankBlocks(tasks: tasks, ranks: widths))
      : MTLParameters(adapter(rank: 3), tasks: tasks, seed: 3, device: device)
  }

  @Test(arguments: kinds, tasks) func gradient(_ kind: String, _ task: String) throws {
    let parameters = try Self.parameters(kind)
    var generator = SeededGenerator(seed: 7)
    let values = Self.random(parameters.count, &generator)
    let weights = Self.random(parameters.layout.count, &generator)
    func objective(_ values: [Float]) -> Double {
      zip(parameters.columns(of: task, values), weights).reduce(0) { $0 + Double($1.0) * Double($1.1) }
    }
    let gradient = parameters.gradient(of: task, values, weights)
    #expect(gradient.count == parameters.count)
    for index in values.indices {
      func moved(_ by: Float) -> Double {
        var changed = values
        changed[index] += by
        return objective(changed)
      }
      let numeric = (moved(1e-2) - moved(-1e-2)) / 2e-2
      let error = abs(numeric - Double(gradient[index]))
      #expect(error < 2e-3, "\(kind), value \(index): \(gradient[index]), not \(numeric)")
    }
  }

  @Test("MTL-LoRA starts without an effect, MoLE with equal shares of all experts")
  func start() throws {
    let mtl = try Self.parameters("mtl")
    #expect(mtl.columns(of: "b", mtl.initial)[mtl.layout.aCount...].allSatisfy { $0 == 0 })
    // The B differ from the first step on.
    let ones = [Float](repeating: 1, count: mtl.layout.count)
    let gradient = mtl.gradient(of: "b", mtl.initial, ones)
    let size = 7 * 3
    let b = (0..<3).map { gradient[mtl.layout.aCount + $0 * size] }
    #expect(b.allSatisfy { $0 > 0 } && Set(b).count == 3, "\(b)")
    let mole = try Self.parameters("mole")
    let experts = mole.layout.gather(Self.adapter(rank: 6), columns: Array(0..<6))
    let columns = mole.columns(of: "b", mole.initial)
    for (index, value) in columns.enumerated() {
      let expected = index < mole.layout.aCount ? experts[index] : experts[index] / 3
      #expect(abs(value - expected) < 1e-6)
    }
  }

  @Test("the gradient of O-LoRA's penalty agrees with finite differences")
  func orthogonality() throws {
    let adapter = Self.adapter(rank: 6)
    let view = ColumnView(frozen: [0, 2, 5], trainable: [1, 3])
    let layout = TrainableLayout(modules: Self.modules, columns: 2)
    let values = layout.gather(adapter, columns: [1, 3])
    let penalty = try #require(OrthogonalityPenalty(adapter, view, weight: 0.5, device: Self.device))
    let memory = Self.device.allocate(byteCount: layout.count * 4)
    let matrix = memory.matrix(rows: 1, columns: layout.count, type: .float32)
    penalty.add(for: values, to: matrix)
    let gradient = Self.device.makeOperations(threads: 1).values(matrix)
    func objective(_ values: [Float]) -> Double {
      var sum = 0.0
      for (index, module) in Self.modules.enumerated() {
        for row in 0..<2 {
          for frozen in view.frozen {
            var product = 0.0
            for input in 0..<module.inputs {
              let own = Double(values[layout.aOffsets[index] + row * module.inputs + input])
              let other = Double(adapter.pairs[index].a[frozen * module.inputs + input])
              product += own * other
            }
            sum += 0.5 * abs(product)
          }
        }
      }
      return sum
    }
    for index in values.indices {
      func moved(_ by: Float) -> Double {
        var changed = values
        changed[index] += by
        return objective(changed)
      }
      let numeric = (moved(1e-3) - moved(-1e-3)) / 2e-3
      #expect(abs(numeric - Double(gradient[index])) < 1e-3, "value \(index)")
    }
    #expect(
      OrthogonalityPenalty(adapter, ColumnView(frozen: [], trainable: [1]), weight: 1, device: Self.device)
        == nil)
  }
}
