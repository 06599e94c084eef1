import ContextLoRA
import LanguageModels
import SeededRandom
import TaskGraph
import Tensor
import Testing
import TrainingFixtures

/// Blocks that start as minus the sum of their prerequisites'.
struct BlockStartTests {
  private let device = CPUDevice(computeType: .float32, workers: 2)

  /// An adapter in which every column has been trained, and the phase of a task.
  private func adapter(_ ranks: [(task: String, parents: [String], rank: Int)], _ task: String) throws
    -> (adapter: LoRAAdapter, phase: Phase)
  {
    let graph = try TaskDependencyGraph(ranks.map { (name: $0.task, parents: $0.parents) })
    let rank = ranks.reduce(0) { $0 + $1.rank }
    let blocks = try RankBlocks(tasks: ranks.map(\.task), ranks: ranks.map(\.rank))
    let tiny = try TinyWorkflow(frozenRatio: 1)
    var adapter = LoRAAdapter(modules: tiny.adapter.modules, rank: rank, scale: 2, seed: 3)
    var generator = SeededGenerator(seed: 8)
    for index in adapter.pairs.indices {
      for place in adapter.pairs[index].b.indices {
        adapter.pairs[index].b[place] = Float(generator.unit()) - 0.5
      }
    }
    let schedule = try PhaseSchedule(graph: graph, blocks: blocks, frozenRatio: 1)
    return (adapter, schedule.phase(of: task))
  }

  /// `B A` over some columns of a module, `[outputs, inputs]`.
  private func product(_ adapter: LoRAAdapter, _ module: Int, _ columns: some Sequence<Int>) -> [Double] {
    let (pair, inputs) = (adapter.pairs[module], adapter.modules[module].inputs)
    let outputs = adapter.modules[module].outputs
    var sum = [Double](repeating: 0, count: outputs * inputs)
    for column in columns {
      for output in 0..<outputs {
        for input in 0..<inputs {
          sum[output * inputs + input] +=
            Double(pair.b[output * adapter.rank + column]) * Double(pair.a[column * inputs + input])
        }
      }
    }
    return sum
  }

  private func norm(_ values: [Double]) -> Double { values.reduce(0) { $0 + $1 * $1 }.squareRoot() }

  @Test("with as many columns as its prerequisite, a task starts from the base model")
  func exact() throws {
    let (before, phase) = try adapter([("a", [], 3), ("b", ["a"], 3)], "b")
    var after = before
    after.startFromBase(phase, on: device)
    for (index, module) in before.modules.enumerated() {
      let (old, new) = (before.pairs[index], after.pairs[index])
      #expect(norm(product(after, index, 0..<6)) < 1e-5 * norm(product(before, index, 0..<3)))
      #expect(Array(old.a[..<(3 * module.inputs)]) == Array(new.a[..<(3 * module.inputs)]))
      for output in 0..<module.outputs {
        for column in 0..<3 { #expect(old.b[output * 6 + column] == new.b[output * 6 + column]) }
      }
      // Rows of A as long as fresh ones on average, orthogonal to each other.
      for column in 3..<6 {
        let row = new.a[column * module.inputs..<(column + 1) * module.inputs].map(Double.init)
        #expect(abs(norm(row) - (1.0 / 3).squareRoot()) < 1e-4)
      }
    }
  }

  @Test("with fewer columns, no choice of as many leaves less")
  func truncated() throws {
    let (before, phase) = try adapter([("a", [], 3), ("b", ["a"], 3), ("c", ["a", "b"], 2)], "c")
    var after = before
    after.startFromBase(phase, on: device)
    for (index, module) in before.modules.enumerated() {
      let sum = product(before, index, 0..<6)
      let kept = (6..<8).map { product(after, index, [$0]) }
      let rest = product(after, index, 0..<8)
      // The parts are orthogonal: their squares add up.
      let squares = kept.reduce(0) { $0 + norm($1) * norm($1) }
      #expect(abs(norm(sum) * norm(sum) - squares - norm(rest) * norm(rest)) < 1e-5 * norm(sum) * norm(sum))
      // What is left has no larger singular value than those taken: by power iteration.
      var vector = [Double](repeating: 1, count: module.inputs)
      var largest = 0.0
      for _ in 0..<200 {
        let image = (0..<module.outputs).map { output in
          (0..<module.inputs).reduce(0) { $0 + rest[output * module.inputs + $1] * vector[$1] }
        }
        let back = (0..<module.inputs).map { input in
          (0..<module.outputs).reduce(0) { $0 + rest[$1 * module.inputs + input] * image[$1] }
        }
        largest = norm(back).squareRoot()
        vector = back.map { $0 / max(norm(back), 1e-30) }
      }
      #expect(kept.allSatisfy { norm($0) > largest * 0.9999 })
    }
  }

  /// `Σ_k 0.95^k u_k v_kᵀ` with orthonormal u and v, as the product of a B and an A of columns that are neither.
  private func knownSpectrum(columns: Int, own: Int) throws -> (adapter: LoRAAdapter, phase: Phase) {
    let (inputs, outputs, rank) = (130, 110, columns + own)
    let module = TargetModule(layer: 0, projection: .q_proj, outputs: outputs, inputs: inputs)
    var adapter = LoRAAdapter(modules: [module], rank: rank, scale: 1, seed: 4)
    var generator = SeededGenerator(seed: 9)
    // A = L V and B = U Σ L⁻¹ with a lower triangular L, where row k of V and column k of U are unit vectors.
    let lower = (0..<columns).map { row in
      (0..<columns).map { $0 < row ? 0.2 * (generator.unit() - 0.5) : $0 == row ? 1 : 0 }
    }
    for row in 0..<columns {
      for place in 0..<inputs {
        adapter.pairs[0].a[row * inputs + place] = place < columns ? Float(lower[row][place]) : 0
      }
    }
    for output in 0..<columns {
      var head = [Double](repeating: 0, count: columns)
      head[output] = power(0.95, output)
      // head L⁻¹, from the last column on.
      for column in (0..<columns).reversed() {
        for after in (column + 1)..<max(columns, column + 1) {
          head[column] -= head[after] * lower[after][column]
        }
      }
      for column in 0..<columns { adapter.pairs[0].b[output * rank + column] = Float(head[column]) }
    }
    let graph = try TaskDependencyGraph([(name: "a", parents: []), (name: "b", parents: ["a"])])
    let blocks = try RankBlocks(tasks: ["a", "b"], ranks: [columns, own])
    return (adapter, try PhaseSchedule(graph: graph, blocks: blocks, frozenRatio: 1).phase(of: "b"))
  }

  private func power(_ base: Double, _ exponent: Int) -> Double {
    (0..<exponent).reduce(1) { value, _ in value * base }
  }

  @Test(
    "what is left is close to the least possible, with few and with many columns",
    arguments: [40, 64, 65, 100])
  func leastRest(columns: Int) throws {
    let own = 12
    let (before, phase) = try knownSpectrum(columns: columns, own: own)
    var after = before
    after.startFromBase(phase, on: device)
    let singular = (0..<columns).map { power(0.95, $0) }
    #expect(abs(norm(product(before, 0, 0..<columns)) - norm(singular)) < 1e-3)
    let least = norm(Array(singular[own...]))
    let rest = norm(product(after, 0, 0..<(columns + own)))
    #expect(rest > least * 0.999)
    #expect(rest < least * 1.01)
  }

  @Test("with many columns and as many of its own, it is exact")
  func exactWithMany() throws {
    let (before, phase) = try knownSpectrum(columns: 80, own: 80)
    var after = before
    after.startFromBase(phase, on: device)
    #expect(norm(product(after, 0, 0..<160)) < 1e-4 * norm(product(before, 0, 0..<80)))
  }

  @Test("the number of workers changes nothing")
  func workers() throws {
    let (before, phase) = try adapter([("a", [], 3), ("b", ["a"], 3)], "b")
    var (one, two) = (before, before)
    one.startFromBase(phase, on: CPUDevice(computeType: .float32, workers: 1))
    two.startFromBase(phase, on: device)
    #expect(one == two)
  }

  @Test("nothing to cancel changes nothing")
  func fresh() throws {
    var (adapter, phase) = try adapter([("a", [], 3), ("b", ["a"], 3)], "a")
    let before = adapter
    adapter.startFromBase(phase, on: device)
    #expect(adapter == before)
    var untrained = LoRAAdapter(modules: before.modules, rank: 6, scale: 2, seed: 3)
    let same = untrained
    untrained.startFromBase(try self.adapter([("a", [], 3), ("b", ["a"], 3)], "b").phase, on: device)
    #expect(untrained == same)
  }
}
