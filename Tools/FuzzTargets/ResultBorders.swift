import Experiments
import Foundation
import Reports
import RunStore

/// What was measured before.
enum ResultBorders {
  static func store(_ bytes: [UInt8]) throws {
    let file = Scratch.file("store/runs.sqlite", bytes)
    // SQLite takes what lies beside a database for its own.
    for suffix in ["-wal", "-shm", "-journal"] {
      try? FileManager.default.removeItem(atPath: file.path + suffix)
    }
    let reading = try RunStore(reading: file.path)
    for run in try reading.runs().prefix(4) {
      _ = try reading.details(of: run.id)
      _ = try reading.identifier(of: String(run.id.prefix(4)))
    }
    let writing = try RunStore(file.path)
    let run = try writing.begin(
      RunDescription(.train, name: "a", folder: "a"), in: RunEnvironment(program: "a", instructionSet: "base")
    )
    run.finish(.finished)
  }

  static func result(_ bytes: [UInt8]) throws {
    let folder = Scratch.file("results/a.json", bytes).deletingLastPathComponent()
    let store = CellStore(folder.path)
    let results = try store.all()
    guard let one = results.first else { return }
    _ = try store.result(among: [one.key], tasks: one.tasks.map(\.task))
    var other = one
    (other.method, other.seed) = ("joint", 7)
    let table = MethodTable([one, other, one])
    _ = table.text + table.markdown(hasTimes: true)
    for experiment in Experiment.all { _ = ExperimentFigure.of(experiment.name, table)?.file }
    _ = ExperimentFigure.scale([table]).map(\.figure.file)
  }
}
