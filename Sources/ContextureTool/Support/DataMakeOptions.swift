import ArgumentParser
import BenchmarkWorlds
import Checkpoint
import Datasets
import Foundation
import InputErrors
import SafeFiles
import TextTables

/// What every simulated world can be asked for.
struct DataMakeOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The number of episodes, 10 to \(maximumEpisodesOfWorlds)."))
  var episodes = 1000

  @Option(help: "The random seed.")
  var seed: UInt64 = 7

  @Option(
    parsing: .singleValue,
    help: ArgumentHelp(
      "The share (0 to 1) of a task's training answers to corrupt. Repeatable.", valueName: "task=share"))
  var noise: [String] = []

  @Option(help: ArgumentHelp("The folder to create; it must be new or empty.", valueName: "dir"))
  var out: String

  /// Writes the data of `world` and prints what it is.
  ///
  /// - Parameter workflow: the text of a workflow file to put beside the data.
  func make(_ world: some BenchmarkWorld, workflow: String? = nil) throws {
    let noise = try shares(of: world)
    try OutputFolder.refuseContents(out)
    let splits = try world.splits(episodes: episodes, seed: seed, noise: noise)
    try AtomicFolder.write(to: URL(fileURLWithPath: out)) { folder in
      try DatasetFolder(path: folder.path).write(splits)
      if let workflow {
        try AtomicFile.write(workflow, to: folder.appendingPathComponent("workflow.yaml"))
      }
    }
    try Console.print(summary(splits, world))
  }

  private func shares(of world: some BenchmarkWorld) throws(Refusal) -> [String: Double] {
    var shares: [String: Double] = [:]
    for text in noise {
      let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, let share = Double(parts[1]) else {
        throw Refusal(
          "--noise \(text)", "is not a task and a share",
          "write it as in --noise \(world.tasks[0].name)=0.1")
      }
      guard shares.updateValue(share, forKey: String(parts[0])) == nil else {
        throw Refusal(
          "--noise \(text)", "the task \(parts[0]) is given twice", "give it once")
      }
    }
    return shares
  }

  private func summary(_ splits: DatasetSplits, _ world: some BenchmarkWorld) -> String {
    let folder = DatasetFolder(path: out)
    let counts = [(DatasetFolder.Split.train, splits.train), (.valid, splits.valid), (.test, splits.test)]
    let sizes = counts.map { split, episodes in
      let path = folder.file(split)
      let bytes = (try? FileManager.default.attributesOfItem(atPath: path))?[.size] as? NSNumber
      return [path, "\(episodes.count) episodes", "\(NumberText.grouped(bytes?.intValue ?? 0)) bytes"]
    }
    var lines = [TextTable.aligned(sizes, right: [1, 2])]
    if let sample = splits.train.first {
      lines += ["", EpisodeText.describe(sample, tasks: world.tasks)]
    }
    let limits = world.accuracyWithoutParents
    let rows = world.tasks.filter { !$0.parents.isEmpty }.map { task in
      "\(task.name) \(EpisodeText.percent(limits[task.name] ?? 0))"
    }
    lines += [
      "",
      "Without the parents' answers, the best guess that training data can teach is expected to score: "
        + "\(rows.joined(separator: ", ")).",
    ]
    return lines.joined(separator: "\n")
  }
}

/// How much the texts of a world say beside what matters.
struct DifficultyOption: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "\(Difficulty.levels.lowerBound) to \(Difficulty.levels.upperBound): each level above 1 adds a remark to be "
        + "ignored to the texts.", valueName: "level"))
  var difficulty = Difficulty.levels.lowerBound

  func read() throws(WorldError) -> Difficulty { try Difficulty(difficulty) }
}

/// What a world of stations can be asked for.
struct RelayOptions: ParsableArguments {
  @Option(help: "The number of tasks, 2 to 24; for diamond 4 to 24.")
  var tasks = 8

  @OptionGroup var options: DataMakeOptions
  @OptionGroup var difficulty: DifficultyOption

  func make(_ shape: RelayShape) throws {
    let world = try RelayWorld(shape, tasks: tasks, difficulty: difficulty.read())
    try options.make(world, workflow: world.workflow)
  }
}
