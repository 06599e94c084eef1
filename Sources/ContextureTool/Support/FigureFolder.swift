import Experiments
import Foundation
import Reports
import SafeFiles

/// A folder of experiments' figures, `EXPERIMENT-BENCHMARK.svg`; `EXPERIMENT-BENCHMARK-2.svg` if a second benchmark has
/// the name of the first.
struct FigureFolder {
  private let path: String
  /// The names of those written.
  private var names: Set<String> = []

  /// Makes the folder if it is not there.
  ///
  /// - Throws: the reason why it cannot be made.
  init(_ path: String) throws {
    self.path = path
    try AtomicFolder.make(URL(fileURLWithPath: path))
  }

  /// Writes what the last of an experiment's tables, or all of them, can be drawn as.
  ///
  /// - Parameter tables: one for each benchmark so far.
  /// - Throws: the reason why a file cannot be written.
  mutating func write(_ experiment: Experiment, _ tables: [MethodTable]) throws {
    switch experiment.worlds {
    case .stations:
      for (shape, figure) in ExperimentFigure.scale(tables) {
        try write(figure, "\(experiment.name)-\(shape)")
      }
    case .benchmarks, .benchmarksAndPair:
      guard let table = tables.last, let figure = ExperimentFigure.of(experiment.name, table) else { return }
      let name = Self.plain("\(experiment.name)-\(table.benchmark)")
      var (own, count) = (name, 1)
      while !names.insert(own).inserted {
        count += 1
        own = "\(name)-\(count)"
      }
      try write(figure, own)
    }
  }

  private func write(_ figure: Figure, _ name: String) throws {
    try AtomicFile.write(
      figure.file, to: URL(fileURLWithPath: path).appendingPathComponent("\(name).svg"))
  }

  /// A file name; a workflow's name may be any text.
  private static func plain(_ name: String) -> String {
    let scalars = name.unicodeScalars.map { scalar in
      let isPlain = scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar))
      return isPlain || scalar == "-" || scalar == "_" ? scalar : "-"
    }
    return String(String(String.UnicodeScalarView(scalars)).prefix(100))
  }
}
