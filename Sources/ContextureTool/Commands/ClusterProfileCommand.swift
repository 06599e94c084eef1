import ArgumentParser
import Checkpoint
import ClusterLaunch
import DeviceProfiling
import Foundation
import InputErrors
import SafeFiles
import Workflows

struct ClusterProfileCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "profile", abstract: "Measures every device and link, and writes the cluster file.",
    discussion: """
      Starts itself on the hosts, one rank per slot. Each rank times the model's layers forward and backward \
      for several micro-batch sizes, the head, the embedding and the optimiser, and reports how much memory \
      it may use; all ranks do so at the same time. Ranks that share a machine also do all of it one by one, \
      to find out how much they slow each other. Then every directed link is measured. 'contexture plan' \
      reads the file.

      The program and the model must be identical, and at the same paths, on every host. Without --hosts, \
      the ranks are started on this machine. If mpirun or srun started the command, it takes part in that job.

      EXAMPLE
        contexture cluster profile --hosts hosts.yaml --out cluster.yaml
        contexture cluster profile --ranks 2 --out cluster.yaml

      \(ExitStatus.manual)
        3  interrupted; nothing was written
        4  a rank or a host failed; the message names it
      """)

  @Option(help: ArgumentHelp("The hosts file; docs/cluster.md describes it.", valueName: "file"))
  var hosts: String?

  @Option(help: "The number of ranks to start. Default: one per slot of the hosts, or 1.")
  var ranks: Int?

  @Option(help: ArgumentHelp("The cluster file to write.", valueName: "file"))
  var out: String

  @Option(help: "A fetched model's name, a GGUF file, or a Hugging Face folder.")
  var model = "smollm2-135m"

  @OptionGroup var models: ModelsFolder

  @Option(
    help: "Trained rank columns of each adapted matrix. More trained and frozen columns are timed too.")
  var loraRank = 16

  @Option(help: "The number format of the weights; auto selects the one that each CPU computes fast.")
  var precision = Precision.auto

  @Option(help: "Threads per rank. Default: its cores divided by the ranks that share them.")
  var workers: Int?

  @Option(help: "Minimum seconds for which each size is timed. With a CPU quota, at least 0.5.")
  var seconds = 0.9

  /// Passed by this command to the ranks that it starts: results go to it.
  @Flag(help: .hidden)
  var reportToLauncher = false

  func run() throws {
    try checkOptions()
    let environment = ProcessInfo.processInfo.environment
    if let job = try JobEnvironment.detect(environment) {
      try ProfilingRank(options: self, job: job).run()
    } else {
      try launch(environment)
    }
  }

  private func checkOptions() throws(Refusal) {
    func check(_ option: String, _ value: Int?, _ range: ClosedRange<Int>) throws(Refusal) {
      if let value, !range.contains(value) {
        throw Refusal(
          option, "\(value) is outside \(range.lowerBound)...\(range.upperBound)",
          "use a whole number in that range")
      }
    }
    try check("--ranks", ranks, 1...1024)
    try check("--lora-rank", loraRank, 1...1024)
    try check("--workers", workers, 1...1024)
    guard seconds > 0, seconds <= 600 else {
      throw Refusal("--seconds", "\(seconds) is not valid", "use 0.5 to 600")
    }
  }

  /// Refuses an output file that could not be written.
  func checkOutput() throws { try OutputFile.check(out) }

  /// Writes the cluster file and shows its contents.
  func finish(_ profile: ClusterProfile, places: [Hosts.Place], hosts: Hosts?) throws {
    let cluster = try profile.cluster(
      name: URL(fileURLWithPath: out).deletingPathExtension().lastPathComponent, places: places, hosts: hosts)
    try AtomicFile.write(try cluster.yaml(), to: URL(fileURLWithPath: out))
    try Console.print("\n" + profile.text(cluster) + "\n\nWritten to \(out)")
  }

  /// Starts the ranks, forwards their output, and makes the cluster file from their measurements.
  private func launch(_ environment: [String: String]) throws {
    try checkOutput()
    let hosts = try machines()
    let count = ranks ?? hosts.slots
    let places = try ProfiledPlaces.places(hosts, ranks: count)
    let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().path
    let supervisor = try Supervisor(
      try MPIRunCommand(hosts: hosts, ranks: count, program: [program] + rankArguments),
      environment: environment)
    let interrupts = Interrupts(stopping: "Stopping; nothing will be written")
    var report = ProfileReport()
    var hasComplained = false
    do {
      try supervisor.run(isCancelled: { interrupts.requested }) { line, isError in
        if isError {
          hasComplained = hasComplained || line.hasPrefix("contexture: ")
          Console.complain(line)
        } else if !report.take(line) {
          try? Console.print(line)
        }
      }
    } catch let failure as JobFailure {
      if interrupts.requested { throw ExitCode(ExitStatus.interrupted) }
      // A rank that refuses its input has already reported why.
      if hasComplained, failure.exitCode == ExitStatus.wrongInput { throw ExitCode(ExitStatus.wrongInput) }
      Console.complain(inOneLine: "contexture: \(failure)")
      throw ExitCode(ExitStatus.jobFailed)
    }
    try finish(try report.profile(), places: places, hosts: hosts)
  }

  private func machines() throws -> Hosts {
    if let hosts { return try Hosts(contentsOf: hosts) }
    return try Hosts([Hosts.Host(name: "localhost", slots: ranks ?? 1)])
  }

  /// The arguments of this command for a rank.
  private var rankArguments: [String] {
    var arguments = ["cluster", "profile", "--report-to-launcher", "--out", out, "--model", model]
    arguments += ["--models", models.models, "--lora-rank", "\(loraRank)", "--precision", precision.rawValue]
    arguments += ["--seconds", "\(seconds)"]
    if let workers { arguments += ["--workers", "\(workers)"] }
    return arguments
  }
}
