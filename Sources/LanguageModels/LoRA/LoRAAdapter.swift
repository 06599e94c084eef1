import SeededRandom

/// The pair of matrices of one adapted layer, all rank columns of all tasks, float32.
package struct LoRAPair: Sendable, Equatable {
  /// `[rank, inputs]`, row-major: row `c` belongs to rank column `c`.
  package var a: [Float]
  /// `[outputs, rank]`, row-major.
  package var b: [Float]

  /// Takes the matrices as they are.
  package init(a: [Float], b: [Float]) {
    self.a = a
    self.b = b
  }
}

/// A low-rank adapter (Hu et al., arXiv 2106.09685): `y = W0 x + scale · B (A x)` at every site.
package struct LoRAAdapter: Sendable, Equatable {
  /// The adapted layers.
  package let sites: [TargetModule]
  /// The number of rank columns, of all tasks together.
  package let rank: Int
  /// What `B A x` is multiplied with: `alpha / rank`, or `alpha / sqrt(rank)` when rank-stabilised
  /// (Kalajdzievski, arXiv 2312.03732).
  package let scale: Float
  /// One pair a site, in the order of ``sites``.
  package var pairs: [LoRAPair]

  /// An adapter with given parameters.
  package init(sites: [TargetModule], rank: Int, scale: Float, pairs: [LoRAPair]) {
    precondition(sites.count == pairs.count, "LoRAAdapter: one pair a site")
    self.sites = sites
    self.rank = rank
    self.scale = scale
    self.pairs = pairs
  }

  /// A fresh adapter: A uniform in ±1/√inputs (PEFT's default, Kaiming uniform with a = √5), B zero, so
  /// that it changes nothing yet.
  package init(sites: [TargetModule], rank: Int, scale: Float, seed: UInt64) {
    self.init(
      sites: sites, rank: rank, scale: scale,
      pairs: sites.enumerated().map { index, site in
        // Of the site alone, so that a device that holds some layers draws the same values.
        var generator = SeededGenerator(seed: seed, stream: site.stream)
        let bound = 1 / Float(site.inputs).squareRoot()
        return LoRAPair(
          a: (0..<rank * site.inputs).map { _ in (Float(generator.unit()) * 2 - 1) * bound },
          b: [Float](repeating: 0, count: site.outputs * rank))
      })
  }

  /// The number of parameters.
  package var parameterCount: Int { pairs.reduce(0) { $0 + $1.a.count + $1.b.count } }

  /// Rank column importances `‖B_c‖ · ‖A_c‖` summed over the sites, by column.
  package func columnImportances() -> [Double] {
    var sums = [Double](repeating: 0, count: rank)
    for (site, pair) in zip(sites, pairs) {
      for column in 0..<rank {
        var a = 0.0
        var b = 0.0
        for i in 0..<site.inputs {
          let value = Double(pair.a[column * site.inputs + i])
          a += value * value
        }
        for o in 0..<site.outputs {
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
  /// A number that no other site of a model has, never 0.
  var stream: UInt64 {
    let kind = Projection.allCases.firstIndex(of: projection) ?? 0
    return UInt64(layer * Projection.allCases.count + kind + 1)
  }
}
