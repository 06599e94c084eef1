import ArgumentParser
import BenchmarkWorlds
import InputErrors
import SafeFiles

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

  @OptionGroup var options: DataMakeOptions

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

  func run() throws {
    try OutputFolder.refuseContents(options.out)
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
    try options.make(world)
  }

  private func read(_ path: String) throws -> [SumoState] {
    do { return try SumoStateFile.read(path) } catch let error as FileError where error.kind == .missing {
      throw Refusal(
        path, "no such file",
        "run this in the folder of the repository, give --states FILE, or make one with --simulate FILE")
    }
  }
}
