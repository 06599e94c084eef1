import ArgumentParser
import Checkpoint
import ClusterEmulation
import ClusterLaunch
import ContextGear
import ContextLoRA
import Datasets
import DeviceProfiling
import Glibc
import Prompting
import Runs
import TaskGraph
import Tokenization
import Transport
import Workflows

/// How the program ends, in one place.
enum ExitStatus {
  /// For the end of every help page.
  static let manual = """
    EXIT CODES
      0  done
      1  an error of the program itself: please report it
      2  wrong input: a message on standard error says where, what and the remedy
      130  ended at once by Ctrl-C (the second one, where the first asks to stop)
    """

  static let failure: Int32 = 1
  static let wrongInput: Int32 = 2
  static let interrupted: Int32 = 3
  static let jobFailed: Int32 = 4

  /// Makes a write to a closed pipe an error instead of a signal.
  static func ignoreBrokenPipes() { signal(SIGPIPE, SIG_IGN) }

  /// Says what went wrong, in one message on standard error, and ends the program.
  ///
  /// Help and version requests come this way too; they go to standard output and end with 0.
  static func end(after error: any Error) -> Never {
    if let status = error as? ExitCode { exit(status.rawValue) }
    if case OutputError.readerIsGone = error { exit(0) }
    if isAboutInput(error) {
      Console.complain("contexture: \(error)")
      exit(wrongInput)
    }
    let status = Contexture.exitCode(for: error)
    let message = Contexture.fullMessage(for: error)
    if status.isSuccess {
      do { try Console.print(message) } catch { end(after: error) }
      exit(0)
    }
    Console.complain(message)
    exit(status == .validationFailure ? wrongInput : failure)
  }

  /// Whether the error's description is one line that names a file or field and a remedy.
  static func isAboutInput(_ error: any Error) -> Bool {
    error is CheckpointError || error is WorkflowError || error is TaskGraphError
      || error is EpisodeFileError || error is DatasetMistakes || error is IoVError || error is TokenizerError
      || error is ChatTemplateError || error is InputError || error is OutputError || error is RunError
      || error is PromptError || error is TrainingError || error is PlanningError
      || error is LaunchError || error is JobRefusal || error is TransportError
      || error is HostResources.CannotRead
      || error is EmulationError
  }
}

/// Wrong input that no library sees: what, where, and what to do.
struct InputError: Error, CustomStringConvertible, Equatable {
  /// The file, folder or option.
  let place: String
  let problem: String
  let remedy: String

  var description: String { "\(place): \(problem); \(remedy)" }
}
