import Datasets

/// The `iov` world with the interface of the others.
package struct IoVBenchmark: BenchmarkWorld {
  package init() {}

  package var name: String { "iov" }
  package var tasks: [DatasetTask] { IoVWorld.tasks }
  package var accuracyWithoutParents: [String: Double] { IoVWorld.oracleWithoutParents() }

  package func splits(episodes: Int, seed: UInt64, noise: [String: Double]) throws -> DatasetSplits {
    try IoVWorld.splits(episodes: episodes, seed: seed, noise: noise)
  }
}
