import SeededRandom

/// The two matrices of one adapted layer, with all rank columns of all tasks, float32.
package struct LoRAPair: Sendable, Equatable {
  /// `[rank, inputs]`, row-major; row `c` is rank column `c`.
  package var a: [Float]
  /// `[outputs, rank]`, row-major.
  package var b: [Float]

  package init(a: [Float], b: [Float]) {
    self.a = a
    self.b = b
  }
}

/// A low-rank adapter (Hu et al., arXiv 2106.09685): `y = W0 x + scale · B (A x)` at every target module.
package struct LoRAAdapter: Sendable, Equatable {
  /// The target modules.
  package let modules: [TargetModule]
  /// The number of rank columns, of all tasks together.
  package let rank: Int
  /// The factor of `B A x`: `alpha / columns`, or `alpha / sqrt(columns)` if rank-stabilised (Kalajdzievski, arXiv
  /// 2312.03732), with the number of columns that train together.
  package let scale: Float
  /// One pair per target module, in the order of ``modules``.
  package var pairs: [LoRAPair]

  package init(modules: [TargetModule], rank: Int, scale: Float, pairs: [LoRAPair]) {
    precondition(modules.count == pairs.count, "LoRAAdapter: one pair per module")
    self.modules = modules
    self.rank = rank
    self.scale = scale
    self.pairs = pairs
  }

  /// Whether every value is a finite number, as it is unless training diverges.
  package var isFinite: Bool {
    pairs.allSatisfy { $0.a.allSatisfy(\.isFinite) && $0.b.allSatisfy(\.isFinite) }
  }

  /// A fresh adapter: A is uniform in ±1/√inputs (PEFT's default, Kaiming uniform with a = √5), and B is
  /// zero, so that it changes nothing yet.
  package init(modules: [TargetModule], rank: Int, scale: Float, seed: UInt64) {
    self.init(
      modules: modules, rank: rank, scale: scale,
      pairs: modules.enumerated().map { index, module in
        // Depends on the target module alone, so that a device with only some layers draws the same values.
        var generator = SeededGenerator(seed: seed, stream: module.stream)
        let bound = 1 / Float(module.inputs).squareRoot()
        return LoRAPair(
          a: (0..<rank * module.inputs).map { _ in (Float(generator.unit()) * 2 - 1) * bound },
          b: [Float](repeating: 0, count: module.outputs * rank))
      })
  }

  /// Rank column importances `‖B_c‖ · ‖A_c‖` summed over the target modules, by column.
  package func columnImportances() -> [Double] {
    var sums = [Double](repeating: 0, count: rank)
    for (module, pair) in zip(modules, pairs) {
      for column in 0..<rank {
        var a = 0.0
        var b = 0.0
        for i in 0..<module.inputs {
          let value = Double(pair.a[column * module.inputs + i])
          a += value * value
        }
        for o in 0..<module.outputs {
          let value = Double(pair.b[o * rank + column])
          b += value * value
        }
        sums[column] += (a * b).squareRoot()
      }
    }
    return sums
  }
}

extension TargetModule {
  /// A number unique to this target module within a model, never 0.
  var stream: UInt64 {
    let kind = Projection.allCases.firstIndex(of: projection) ?? 0
    return UInt64(layer * Projection.allCases.count + kind + 1)
  }
}
