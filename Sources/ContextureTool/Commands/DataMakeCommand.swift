import ArgumentParser
import BenchmarkWorlds
import Checkpoint
import Datasets
import Foundation
import InputErrors
import SafeFiles
import TextTables

struct DataMakeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "make", abstract: "Generates a data set from a simulated world.", subcommands: [IoV.self])

  struct IoV: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "iov", abstract: "Generates road scenes with four tasks that build on one another.",
      discussion: """
        Writes train.jsonl (80 %), valid.jsonl (10 %) and test.jsonl (10 %) into a new folder. Each episode \
        is a road scene with four questions: perceive (which agent is the hazard), predict (what it does \
        next), decide (the manoeuvre), route (what happens to the trip). The answers follow from the rules \
        of a small simulated world; wording and options vary. The same arguments give the same bytes.

        --noise replaces the gold answers of a share of the training episodes with wrong ones; valid and \
        test stay correct.

        EXAMPLE
          contexture data make iov --episodes 1000 --seed 7 --out data/iov
          contexture data make iov --noise perceive=0.1 --out data/noisy

        \(ExitStatus.manual)
        """)

    @Option(help: ArgumentHelp("The number of episodes, 10 to \(IoVWorld.maximumEpisodes)."))
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

    func run() throws {
      let noise = try shares()
      try OutputFolder.refuseContents(out)
      let splits = try IoVWorld.splits(episodes: episodes, seed: seed, noise: noise)
      try AtomicFolder.write(to: URL(fileURLWithPath: out)) { try DatasetFolder(path: $0.path).write(splits) }
      try Console.print(summary(splits))
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

    private func summary(_ splits: DatasetSplits) -> String {
      let folder = DatasetFolder(path: out)
      let counts = [(DatasetFolder.Split.train, splits.train), (.valid, splits.valid), (.test, splits.test)]
      let sizes = counts.map { split, episodes in
        let path = folder.file(split)
        let bytes = (try? FileManager.default.attributesOfItem(atPath: path))?[.size] as? NSNumber
        return [path, "\(episodes.count) episodes", "\(NumberText.grouped(bytes?.intValue ?? 0)) bytes"]
      }
      var lines = [TextTable.aligned(sizes, right: [1, 2])]
      if let sample = splits.train.first {
        lines += ["", EpisodeText.describe(sample, tasks: IoVWorld.tasks)]
      }
      let limits = IoVWorld.oracleWithoutParents()
      let rows = IoVWorld.tasks.filter { !$0.parents.isEmpty }.map { task in
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
}
