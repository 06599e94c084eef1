import ArgumentParser
import BenchmarkWorlds
import Datasets
import Foundation
import InputErrors
import SafeFiles
import TextTables

struct MakeSumoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sumo", abstract: "Generates road scenes from traffic that SUMO simulated.",
    discussion: """
      Writes train.jsonl (80 %), valid.jsonl (10 %) and test.jsonl (10 %) into a new folder. Each episode \
      is a moment in the traffic of Bologna, as the simulator SUMO computed it, with four questions: \
      perceive (which vehicle is the hazard), predict (what it does next), decide (the manoeuvre), route \
      (the fastest route that remains). The three files describe different simulations. The same \
      arguments give the same bytes.

      The moments are read from a file of states, by default that of this repository; SUMO is not needed. \
      --simulate runs SUMO and writes a new one.

      --noise replaces the gold answers of a share of the training episodes with wrong ones; valid and \
      test stay correct.

      EXAMPLE
        contexture data make sumo --episodes 1000 --seed 7 --out data/sumo
        contexture data make sumo --difficulty 3 --noise perceive=0.1 --out data/hard
        contexture data make sumo --simulate states.jsonl --out data/new

      \(ExitStatus.manual)
      """)

  @Option(help: ArgumentHelp("The number of episodes, 10 to \(SumoWorld.maximumEpisodes)."))
  var episodes = 1000

  @Option(help: "The random seed.")
  var seed: UInt64 = 7

  @Option(
    parsing: .singleValue,
    help: ArgumentHelp(
      "The share (0 to 1) of a task's training answers to corrupt. Repeatable.", valueName: "task=share"))
  var noise: [String] = []

  @Option(
    help: ArgumentHelp(
      "1: passengers want the fastest route; 2: a third refuses a street; 3: half do, and there are more vehicles."
    ))
  var difficulty = SumoDifficulty.usual.rawValue

  @Option(help: ArgumentHelp("The file of states to read.", valueName: "file"))
  var states = "Examples/sumo/states.jsonl"

  @Option(
    help: ArgumentHelp(
      "Run SUMO (minutes) and write its states to this new file, then use them.", valueName: "file"))
  var simulate: String?

  @Option(help: "The random seed of --simulate.")
  var simulationSeed: UInt16 = 1

  @Option(help: ArgumentHelp("The number of simulations of --simulate, 10 to 200."))
  var simulations = 30

  @Option(help: ArgumentHelp("The folder to create; it must be new or empty.", valueName: "dir"))
  var out: String

  func run() throws {
    let noise = try shares()
    try OutputFolder.refuseContents(out)
    guard let difficulty = SumoDifficulty(rawValue: difficulty) else {
      throw Refusal("--difficulty \(difficulty)", "there is no such difficulty", "use 1, 2 or 3")
    }
    if let simulate {
      guard (10...200).contains(simulations) else {
        throw Refusal("--simulations \(simulations)", "is out of range", "use a number from 10 to 200")
      }
      try SumoSimulation(seed: simulationSeed, worlds: simulations).write(to: simulate)
    }
    let path = simulate ?? states
    let world = try SumoWorld(states: read(path), path: path, difficulty: difficulty)
    let splits = try world.splits(episodes: episodes, seed: seed, noise: noise)
    try AtomicFolder.write(to: URL(fileURLWithPath: out)) { try DatasetFolder(path: $0.path).write(splits) }
    try Console.print(summary(splits, of: world))
  }

  private func read(_ path: String) throws -> [SumoState] {
    do { return try SumoStateFile.read(path) } catch let error as FileError where error.kind == .missing {
      throw Refusal(
        path, "no such file",
        "run this in the folder of the repository, give --states FILE, or make one with --simulate FILE")
    }
  }

  private func shares() throws(Refusal) -> [String: Double] {
    var shares: [String: Double] = [:]
    for text in noise {
      let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, let share = Double(parts[1]) else {
        throw Refusal(
          "--noise \(text)", "is not a task and a share",
          "write it as in --noise perceive=0.1")
      }
      guard shares.updateValue(share, forKey: String(parts[0])) == nil else {
        throw Refusal(
          "--noise \(text)", "the task \(parts[0]) is given twice", "give it once")
      }
    }
    return shares
  }

  private func summary(_ splits: DatasetSplits, of world: some BenchmarkWorld) -> String {
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
      "Without the parents' answers, the best possible guess is expected to score: "
        + "\(rows.joined(separator: ", ")).",
    ]
    return lines.joined(separator: "\n")
  }
}
