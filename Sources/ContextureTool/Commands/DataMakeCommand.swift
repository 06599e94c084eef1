import ArgumentParser
import BenchmarkWorlds

struct DataMakeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "make", abstract: "Generates a data set from a simulated world.",
    subcommands: [
      MakeIoVCommand.self, Industry.self, City.self, Chain.self, Tree.self, Diamond.self,
    ])

  struct Industry: ParsableCommand {
    static let configuration = described(
      "industry", abstract: "Generates monitored pumps with four tasks that build on one another.",
      """
      Each episode is a pump with four questions: diagnose (what is wrong), forecast (how long it lasts), assess (the \
      risk of a failure), act (what to do, given both and what the operator says).
      """,
      example: """
          contexture data make industry --episodes 1500 --seed 7 --out data/industry
        """)

    @OptionGroup var options: DataMakeOptions
    @OptionGroup var difficulty: DifficultyOption

    func run() throws {
      try options.make(IndustryWorld(difficulty: difficulty.read()))
    }
  }

  struct City: ParsableCommand {
    static let configuration = described(
      "city", abstract: "Generates disturbances of road traffic with four tasks that build on one another.",
      """
      Each episode is a disturbance with four questions: event (what happened), severity (how bad it is), origin (which \
      place it comes from), dispatch (what to do, given both and what is free). The usual counts and travel \
      times are real measurements.
      """,
      example: """
          contexture data make city --episodes 1500 --seed 7 --out data/city
        """)

    @OptionGroup var options: DataMakeOptions
    @OptionGroup var difficulty: DifficultyOption

    func run() throws {
      try options.make(CityWorld(difficulty: difficulty.read()))
    }
  }

  struct Chain: ParsableCommand {
    static let configuration = described(
      .chain, "a chain of tasks", "Every station gets the wagon from the one before.")

    @OptionGroup var relay: RelayOptions

    func run() throws { try relay.make(.chain) }
  }

  struct Tree: ParsableCommand {
    static let configuration = described(
      .tree, "a tree of tasks", "Every station sends its wagons to two others.")

    @OptionGroup var relay: RelayOptions

    func run() throws { try relay.make(.tree) }
  }

  struct Diamond: ParsableCommand {
    static let configuration = described(
      .diamond, "a row of diamonds of tasks",
      "Again and again, two stations get a wagon from the same station, and one gets both of theirs.")

    @OptionGroup var relay: RelayOptions

    func run() throws { try relay.make(.diamond) }
  }

  private static func described(
    _ name: String, abstract: String, _ story: String, files: String = "", example: String
  ) -> CommandConfiguration {
    CommandConfiguration(
      commandName: name, abstract: abstract,
      discussion: """
        Writes train.jsonl (80 %), valid.jsonl (10 %) and test.jsonl (10 %) into a new folder\(files). \(story) The \
        answers follow from the rules of a small simulated world; wording and options vary. The same arguments give the \
        same bytes.

        --noise replaces the gold answers of a share of the training episodes with wrong ones; valid and \
        test stay correct.

        EXAMPLE
        \(example)

        \(ExitStatus.manual)
        """)
  }

  private static func described(
    _ shape: RelayShape, _ abstract: String, _ story: String
  ) -> CommandConfiguration {
    described(
      shape.rawValue, abstract: "Generates \(abstract), to measure how a method scales.",
      """
      Each episode is a wagon that passes stations, with one question for each: on which track does it leave? \(story) \
      Every task has a rule of its own, which the texts do not say.
      """, files: ", and workflow.yaml",
      example: """
          contexture data make \(shape) --tasks 8 --out data/\(shape)-8
          contexture train data/\(shape)-8/workflow.yaml --out runs/\(shape)-8
        """)
  }
}
