import Experiments
import Foundation
import Reports
import SafeFiles

/// A folder of experiments' figures, `EXPERIMENT-BENCHMARK.svg`.
struct FigureFolder {
  private let path: String

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
  func write(_ experiment: Experiment, _ tables: [MethodTable]) throws {
    switch experiment.worlds {
    case .stations:
      for (shape, figure) in ExperimentFigure.scale(tables) {
        try write(figure, "\(experiment.name)-\(shape)")
      }
    case .benchmarks, .benchmarksAndPair:
      guard let table = tables.last, let figure = ExperimentFigure.of(experiment.name, table) else { return }
      try write(figure, "\(experiment.name)-\(table.benchmark)")
    }
  }

  private func write(_ figure: Figure, _ name: String) throws {
    // A workflow's name may be any text.
    let safe = String(
      String.UnicodeScalarView(
        name.unicodeScalars.map { scalar in
          let isPlain = scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar))
          return isPlain || scalar == "-" || scalar == "_" ? scalar : "-"
        }))
    try AtomicFile.write(
      figure.file, to: URL(fileURLWithPath: path).appendingPathComponent("\(safe.prefix(100)).svg"))
  }
}
