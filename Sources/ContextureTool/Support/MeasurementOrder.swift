import RunStore

/// The order in which people read measurements.
enum MeasurementOrder {
  /// By benchmark, method and seed; benchmarks and methods in the order in which they come first.
  static func sorted(_ all: [MeasurementRecord]) -> [MeasurementRecord] {
    func places(_ names: [String]) -> [String: Int] {
      names.reduce(into: [:]) { if $0[$1] == nil { $0[$1] = $0.count } }
    }
    let (benchmarks, methods) = (places(all.map(\.benchmark)), places(all.map(\.method)))
    func key(_ one: MeasurementRecord) -> (Int, Int, Int) {
      (benchmarks[one.benchmark] ?? 0, methods[one.method] ?? 0, one.seed)
    }
    return all.sorted { key($0) < key($1) }
  }
}
