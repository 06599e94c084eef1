import ArgumentParser
import BenchmarkWorlds
import InputErrors
import SafeFiles

struct MakeIoVCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "iov", abstract: "Generates road scenes from traffic that SUMO simulated.",
    discussion: """
      Writes train.jsonl (80 %), valid.jsonl (10 %) and test.jsonl (10 %) into a new folder. Each episode \
      is a moment in the traffic of Bologna, as the simulator SUMO computed it, with four questions: \
      perceive (which vehicle is the hazard), predict (what it does next), decide (the manoeuvre), route \
      (the fastest route that remains). The three files describe different simulations. The same \
      arguments give the same bytes.

      The program has the states of 30 simulations; SUMO is not needed. --simulate runs SUMO and writes a new \
      file of states, which --states reads.

      --noise replaces the gold answers of a share of the training episodes with wrong ones; valid and \
      test stay correct.

      EXAMPLE
        contexture data make iov --episodes 1000 --seed 7 --out data/iov
        contexture data make iov --difficulty 3 --noise perceive=0.1 --out data/hard
        contexture data make iov --simulate states.jsonl --out data/new

      \(ExitStatus.manual)
      """)

  @OptionGroup var options: DataMakeOptions

  @Option(
    help: ArgumentHelp(
      "1: passengers want the fastest route; 2: a third refuses a street; 3: half do, and there are more vehicles."
    ))
  var difficulty = IoVDifficulty.usual.rawValue

  @Option(
    help: ArgumentHelp("A file of states to read instead of those of the program.", valueName: "file"))
  var states: String?

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
    guard let difficulty = IoVDifficulty(rawValue: difficulty) else {
      throw Refusal("--difficulty \(difficulty)", "there is no such difficulty", "use 1, 2 or 3")
    }
    if let simulate {
      guard (10...200).contains(simulations) else {
        throw Refusal("--simulations \(simulations)", "is out of range", "use a number from 10 to 200")
      }
      try SumoSimulation(seed: simulationSeed, worlds: simulations).write(to: simulate)
    }
    let world =
      if let path = simulate ?? states {
        try IoVWorld(states: read(path), path: path, difficulty: difficulty)
      } else {
        try IoVWorld(difficulty: difficulty)
      }
    try options.make(world)
  }

  private func read(_ path: String) throws -> [SumoState] {
    do { return try SumoStateFile.read(path) } catch let error as FileError where error.kind == .missing {
      throw Refusal(
        path, "no such file", "make one with --simulate FILE, or leave --states out")
    }
  }
}
