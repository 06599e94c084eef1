import ArgumentParser
import ContextLoRA
import Experiments
import Foundation
import InputErrors
import Methods
import RunStore
import Runs
import SafeFiles
import TextTables
import Workflows

struct ExperimentCommand: ParsableCommand {
  enum Format: String, CaseIterable, ExpressibleByArgument { case text, markdown, json }

  static let configuration = CommandConfiguration(
    commandName: "experiment",
    abstract: "Compares ways to train a workflow: ContextLoRA, joint LoRA and others, over several seeds.",
    discussion: """
      \(Experiment.all.map { "\($0.name): \($0.question)" }.joined(separator: "\n"))

      All methods that train get the same prompts, samples and steps, and keep their best state on the same validation \
      episodes. They train as many values, but for mtl-lora, which has fewer, independent-full, and mole, which has gates \
      beside them. few-shot-3 has examples in its prompts. Each measurement is written to --out when it is done; an \
      experiment that was interrupted continues with those that are missing. Experiments share measurements.

      `all` runs every experiment. --quick has few steps, episodes and variants: it shows that everything works, not \
      which method is better.

      The experiment is also recorded in a store, which 'contexture runs' lists, shows and compares. A store that \
      cannot be written does not end the experiment.

      METHODS
      \(Method.all.map { "\($0.name): \($0.summary)" }.joined(separator: "\n"))

      EXAMPLE
        contexture experiment table --workflow Examples/iov.yaml --seeds 1,2,3
        contexture experiment all --quick
        contexture experiment table --methods joint,mole --seeds 1,2,3

      \(ExitStatus.manual)
        3  interrupted; the same command again continues
      """)

  @Argument(help: ArgumentHelp("Experiments, or all.", valueName: "name")) var names: [String]
  @OptionGroup var models: ModelsFolder
  @Option(
    parsing: .singleValue,
    help: ArgumentHelp("A workflow file. Repeatable. Default: the benchmarks in Examples.", valueName: "file")
  )
  var workflow: [String] = []
  @Option(help: ArgumentHelp("Random seeds, with commas.", valueName: "list")) var seeds = "1"
  @Option(help: ArgumentHelp("Only these methods, with commas.", valueName: "list")) var methods: String?
  @Option(help: ArgumentHelp("Only these worlds of scale, such as chain-2,tree-4.", valueName: "list"))
  var worlds: String?
  @Flag(help: "Few steps, episodes and variants.") var quick = false
  @Option(help: ArgumentHelp("The steps of each task as a share of the workflow's.", valueName: "share"))
  var steps: Double?
  @Option(help: "The number of test episodes.") var test: Int?
  @Option(help: ArgumentHelp("The folder of results.", valueName: "dir")) var out = "experiments"
  @Flag(
    help: """
      Results count wherever they were measured: also those of processors with other instructions, and in another \
      number format if the workflow does not set one.
      """)
  var anyMachine = false
  @Option(help: "The output format.") var format = Format.text
  @Option(
    help: ArgumentHelp(
      "Also write the figure of each experiment into this folder, as SVG files.", valueName: "dir"))
  var figures: String?
  @Flag(help: "Also print the times, which differ from run to run.") var times = false
  @OptionGroup var storage: StoreOptions

  func run() throws {
    let experiments = try chosen()
    let seeds = try numbers()
    let wanted = try wantedMethods(of: experiments)
    let stations = try wantedStations(of: experiments)
    let effort = try chosenEffort()
    func isWanted(_ method: String) -> Bool { wanted?.contains(method) ?? true }
    let needed = experiments.filter { $0.methods(isQuick: quick).contains { isWanted($0) } }
    let files = try needed.contains { $0.worlds != .stations } ? workflowFiles() : []
    try storage.check()
    let interrupts = Interrupts(stopping: "Stopping; what is done is kept")
    let store = CellStore(out)
    let runner = CellRunner(models: models.models, effort: effort) { interrupts.requested }
    var preparing = ""
    runner.onPreparation = { file in
      if interrupts.requested { throw Self.stopped }
      if file != preparing { Console.complain(inOneLine: "Reading and checking \(file)") }
      preparing = file
    }
    // Everything is read and checked before the first training.
    var plan = ExperimentPlan(isFromAnyMachine: anyMachine)
    for experiment in needed {
      for file in try worlds(of: experiment, files, stations) {
        let read = try Workflow(contentsOf: file)
        let cells = seeds.flatMap { experiment.cells(file, read.graph.topologicalOrder[0], $0, quick) }
        plan.parts.append(
          .init(
            experiment: experiment, workflow: read,
            cells: try cells.filter { isWanted($0.method.name) }.map { try runner.prepare($0) }))
      }
    }
    // A store beside it needs the folder that contains both.
    try AtomicFolder.make(URL(fileURLWithPath: out))
    let records = try ExperimentRecords(
      plan, settings: settings(effort, seeds), results: store, storePath: storage.path(beside: out))
    let done: Bool
    do {
      done = try measure(plan, runner, store, records)
    } catch OutputError.readerIsGone {
      records.finish(.stopped)
      Console.complain("Nobody reads the output.")
      throw Self.stopped
    } catch {
      records.finish(.failed("\(error)"))
      throw error
    }
    records.finish(done ? .finished : .stopped)
    guard done else { throw Self.stopped }
  }

  /// Says how to continue, and gives the error that ends the command.
  private static var stopped: ExitCode {
    Console.complain("Stopped. Run the same command again to continue.")
    return ExitCode(ExitStatus.interrupted)
  }

  /// The workflow files that were given, or the benchmarks with their data.
  private func workflowFiles() throws -> [String] {
    guard workflow.isEmpty else { return workflow }
    let files = Self.benchmarks.filter { FileManager.default.fileExists(atPath: $0) }
    guard !files.isEmpty else {
      throw Refusal(
        "--workflow", "is missing, and there is no \(Self.benchmarks.joined(separator: " or "))",
        "give a workflow file, or run this in the folder of the project")
    }
    for file in files { try ExperimentWorlds.makeData(of: file) }
    return files
  }

  /// The measurements whose training failed.
  private struct Failures: InputErrorList {
    var messages: [String] = []
  }

  /// Measures what is missing, and shows each part when it is done. A measurement whose training diverges is left out.
  ///
  /// - Returns: whether all of it is done; otherwise it was asked to stop.
  /// - Throws: the measurements whose training failed, when all others are done; any other error at once.
  private func measure(
    _ plan: ExperimentPlan, _ runner: CellRunner, _ store: CellStore, _ records: ExperimentRecords
  ) throws -> Bool {
    let all = plan.measurements()
    let missing = try all.filter { try plan.known($0.cell, in: store) == nil }
    let progress = ExperimentProgress(
      count: all.count, done: all.count - missing.count, missing: missing.count { $0.cell.trains })
    runner.onProgress = { progress.show($0) }
    var drawing = try figures.map { try FigureFolder($0) }
    var tables: [String: [MethodTable]] = [:]
    var (failures, printed) = (Failures(), [CellResult]())
    // One array, whether all of it is done or not.
    func printJSON() throws { if format == .json { try Console.printJSON(printed) } }
    for part in plan.parts {
      var results: [CellResult] = []
      for prepared in part.cells {
        if let known = try plan.known(prepared, in: store) {
          records.record(known, isMeasured: false)
          results.append(known)
          printed.append(known)
          continue
        }
        progress.begin(prepared.title, trains: prepared.trains)
        let measured: CellResult?
        do {
          measured = try runner.measure(prepared)
        } catch let error as TrainingError {
          // The other measurements do not depend on it.
          let message = "\(prepared.title): \(error)"
          failures.messages.append(message)
          Console.complain(inOneLine: "Failed, and left out: \(message)")
          progress.end()
          continue
        }
        guard let result = measured else {
          try printJSON()
          return false
        }
        try store.write(result)
        records.record(result, isMeasured: true)
        progress.end()
        results.append(result)
        printed.append(result)
      }
      // All that it has may have failed.
      if results.isEmpty { continue }
      let table = MethodTable(results)
      try show(part.experiment, table)
      tables[part.experiment.name, default: []].append(table)
      try drawing?.write(part.experiment, tables[part.experiment.name] ?? [])
    }
    try printJSON()
    guard failures.messages.isEmpty else { throw failures }
    return true
  }

  /// What the measurements depend on, for the store.
  private func settings(_ effort: ExperimentEffort, _ seeds: [Int]) -> [RunDescription.Setting] {
    [
      .init("seeds", seeds.map(String.init).joined(separator: ", ")),
      .init("methods", methods?.replacing(",", with: ", ") ?? "all"),
      .init("worlds", worlds?.replacing(",", with: ", ") ?? "all"),
      .init("quick", "\(quick)"), .init("anyMachine", "\(anyMachine)"), .init("steps", "\(effort.steps)"),
      .init("testEpisodes", "\(effort.testEpisodes)"),
      .init("validationEpisodes", "\(effort.validationEpisodes)"),
      .init("validateEvery", "\(effort.validateEvery)"),
    ]
  }

  private func show(_ experiment: Experiment, _ table: MethodTable) throws {
    switch format {
    case .json: break
    case .markdown:
      try Console.print(
        "## \(table.benchmark): \(experiment.name)\n\n\(table.markdown(hasTimes: times))\n")
    case .text:
      try Console.print("\n\(experiment.name): \(experiment.question)\n\n" + table.text)
      if times { try Console.print("\n" + TextTable.aligned(table.times, right: [1, 2])) }
    }
  }

  /// The workflow files of an experiment.
  private func worlds(of experiment: Experiment, _ files: [String], _ stations: [String]?) throws -> [String]
  {
    switch experiment.worlds {
    case .benchmarks: files
    // A workflow that was asked for stays alone.
    case .benchmarksAndPair: workflow.isEmpty ? [try ExperimentWorlds.pair(in: out)] + files : files
    case .stations: try ExperimentWorlds.stations(in: out, isQuick: quick, names: stations)
    }
  }

  private static let benchmarks = ["iov", "city", "industry"].map { "Examples/\($0).yaml" }

  private func chosen() throws -> [Experiment] {
    if names.contains("all") { return Experiment.all }
    return try names.map { name in
      guard let found = Experiment(named: name) else {
        throw Refusal(
          name, "is not an experiment",
          "give all or some of \(Experiment.all.map(\.name).joined(separator: ", "))")
      }
      return found
    }
  }

  private func numbers() throws -> [Int] {
    let parts = seeds.split(separator: ",", omittingEmptySubsequences: false)
    let numbers = parts.compactMap { Int($0) }.filter { (0...1_000_000_000).contains($0) }
    guard numbers.count == parts.count, Set(numbers).count == numbers.count, numbers.count <= 100 else {
      throw Refusal(
        "--seeds \(seeds)", "is not a list of different whole numbers", "write them as in --seeds 1,2,3")
    }
    return numbers
  }

  private func wantedMethods(of experiments: [Experiment]) throws -> [String]? {
    guard let methods else { return nil }
    let known = experiments.flatMap { $0.methods(isQuick: quick) }
    let wanted = methods.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    if let unknown = wanted.first(where: { !known.contains($0) }) {
      let names = known.indices.filter { known.firstIndex(of: known[$0]) == $0 }.map { known[$0] }
      throw Refusal(
        "--methods \(unknown)", "is not a method of \(experiments.map(\.name).joined(separator: ", "))",
        "give some of \(names.joined(separator: ", "))")
    }
    return wanted
  }

  private func wantedStations(of experiments: [Experiment]) throws -> [String]? {
    guard let worlds else { return nil }
    let known = ExperimentWorlds.stationNames(isQuick: quick)
    guard experiments.contains(where: { $0.worlds == .stations }) else {
      throw Refusal(
        "--worlds", "has no meaning for \(experiments.map(\.name).joined(separator: ", "))",
        "leave it out, or measure scale; --workflow chooses the workflows of the others")
    }
    let wanted = worlds.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    guard !wanted.contains(""), Set(wanted).count == wanted.count else {
      throw Refusal(
        "--worlds '\(worlds)'", "is not a list of different worlds",
        "write them as in --worlds chain-2,tree-4")
    }
    if let unknown = wanted.first(where: { !known.contains($0) }) {
      let isLeftOut = ExperimentWorlds.stationNames(isQuick: false).contains(unknown)
      throw Refusal(
        "--worlds \(unknown)", isLeftOut ? "is not measured with --quick" : "is not a world of scale",
        "give some of \(known.joined(separator: ", "))" + (isLeftOut ? ", or leave out --quick" : ""))
    }
    return wanted
  }

  private func chosenEffort() throws -> ExperimentEffort {
    var effort = quick ? ExperimentEffort.quick : .full
    if let steps {
      guard steps > 0, steps <= 100 else {
        throw Refusal(
          "--steps", "\(steps) is not a share above 0 and at most 100", "give 1 for the workflow's steps")
      }
      effort.steps = steps
    }
    if let test {
      guard test > 0 else { throw Refusal("--test", "\(test) is not a number of episodes", "give 1 or more") }
      effort.testEpisodes = test
    }
    return effort
  }
}

/// Shows which measurement runs, how far it is, and how long the rest may take.
private final class ExperimentProgress {
  private let count: Int
  private var done: Int
  /// Trainings that are missing; what does not train takes little time beside them.
  private var missing: Int
  private var trained = 0
  private var start: ContinuousClock.Instant?
  private var last = ContinuousClock.now
  private var (title, trains) = ("", false)

  /// - Parameters:
  ///   - count: all measurements.
  ///   - done: those whose result is known.
  ///   - missing: trainings among the others.
  init(count: Int, done: Int, missing: Int) { (self.count, self.done, self.missing) = (count, done, missing) }

  func begin(_ title: String, trains: Bool) {
    (self.title, self.trains) = (title, trains)
    if trains, start == nil { start = ContinuousClock.now }
    show("", within: 0)
  }

  func end() {
    done += 1
    if trains { trained += 1 }
  }

  func show(_ progress: MethodTrainer.Progress?) {
    guard let progress else {
      return show(": evaluating", within: trains ? 1 : 0)
    }
    let now = ContinuousClock.now
    guard now - last > .seconds(10) else { return }
    last = now
    show(
      ": \(progress.task), step \(progress.done) of \(progress.all)",
      within: Double(progress.done) / Double(max(progress.all, 1)))
  }

  /// - Parameter within: the share of the present training that is done.
  private func show(_ text: String, within: Double) {
    let behind = Double(trained) + within
    var left = ""
    // Before, loading the model says too much.
    if let start, behind > 0.1 {
      let each = (ContinuousClock.now - start) / .seconds(1) / behind
      left = ", about \(max(1, Int((each * (Double(missing) - behind) / 60).rounded()))) min left"
    }
    Console.complain(inOneLine: "[\(done + 1)/\(count)] \(title)\(text)\(left)")
  }
}
