import BenchmarkWorlds
import Datasets
import Experiments
import Foundation
import InputErrors
import SafeFiles
import Workflows

/// Data of simulated worlds that experiments need.
enum ExperimentWorlds {
  private static let (episodes, seed) = (1500, UInt64(7))

  /// Makes the data of a benchmark in `Examples` if its folder is not there.
  ///
  /// - Throws: an error of the workflow file, or the reason why the data cannot be written.
  static func makeData(of file: String) throws {
    let workflow = try Workflow(contentsOf: file)
    let worlds: [any BenchmarkWorld] = [
      try IoVWorld(), CityWorld(difficulty: try Difficulty()), IndustryWorld(difficulty: try Difficulty()),
    ]
    guard let world = worlds.first(where: { $0.name == workflow.name }),
      try FileKind.of(workflow.dataFolder) == nil
    else { return }
    Console.complain(inOneLine: "Making \(workflow.dataFolder): \(episodes) episodes, seed \(seed)")
    try write(world, to: workflow.dataFolder)
  }

  /// The names of the worlds of stations, such as `chain-2`.
  static func stationNames(isQuick: Bool) -> [String] { worlds(isQuick).map { name($0, tasks: $1) } }

  /// The workflow files of worlds of stations, with their data beside them; made in `folder` where they are missing.
  ///
  /// - Parameter names: only these worlds; `nil` for all.
  /// - Throws: the reason why they cannot be written.
  static func stations(in folder: String, isQuick: Bool, names: [String]?) throws -> [String] {
    try worlds(isQuick).filter { names?.contains(name($0, tasks: $1)) ?? true }
      .map { try station($0, tasks: $1, in: folder) }
  }

  private static func worlds(_ isQuick: Bool) -> [(RelayShape, Int)] {
    RelayShape.allCases.flatMap { shape in
      Experiment.taskCounts(isQuick: isQuick).filter { shape != .diamond || $0 >= 4 }.map { (shape, $0) }
    }
  }

  private static func name(_ shape: RelayShape, tasks: Int) -> String { "\(shape.rawValue)-\(tasks)" }

  /// The workflow file of a chain of two tasks.
  ///
  /// - Throws: the reason why it cannot be written.
  static func pair(in folder: String) throws -> String { try station(.chain, tasks: 2, in: folder) }

  private static func station(_ shape: RelayShape, tasks: Int, in folder: String) throws -> String {
    let world = try RelayWorld(shape, tasks: tasks, difficulty: try Difficulty())
    let path = "\(folder)/worlds/\(name(shape, tasks: tasks))"
    let file = path + "/workflow.yaml"
    if try FileKind.of(path) == nil { try write(world, to: path, workflow: world.workflow) }
    guard try FileContents.read(URL(fileURLWithPath: file)) == Data(world.workflow.utf8) else {
      throw Refusal(
        file, "was made by another version of this program, or changed",
        "remove \(path), so that it is made again, or give another --out")
    }
    return file
  }

  private static func write(_ world: any BenchmarkWorld, to path: String, workflow: String? = nil) throws {
    let splits = try world.splits(episodes: episodes, seed: seed, noise: [:])
    do {
      try make(splits, workflow, path)
    } catch {
      // Another program may have made it meanwhile.
      guard try FileKind.of(path) == .folder else { throw error }
    }
  }

  private static func make(_ splits: DatasetSplits, _ workflow: String?, _ path: String) throws {
    try AtomicFolder.write(to: URL(fileURLWithPath: path)) { folder in
      try DatasetFolder(path: folder.path).write(splits)
      if let workflow { try AtomicFile.write(workflow, to: folder.appendingPathComponent("workflow.yaml")) }
    }
  }
}
