import Dispatch
import Glibc
import Synchronization

/// Catches Ctrl-C and SIGTERM, so that a command can stop at a consistent point. A second Ctrl-C ends the
/// process at once.
final class Interrupts {
  private let flag: Flag
  private let sources: [any DispatchSourceSignal]

  private final class Flag: Sendable {
    let value = Atomic<Bool>(false)
  }

  /// - Parameter stopping: the message printed on the first signal; `nil` for none.
  init(stopping: String? = "Stopping after this step") {
    let flag = Flag()
    self.flag = flag
    // The launcher of a job signals its ranks with SIGUSR1.
    sources = [SIGINT, SIGTERM, SIGUSR1].map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler {
        if flag.value.exchange(true, ordering: .relaxed) { _exit(130) }
        if let stopping { Console.complain("\n\(stopping); interrupt again to stop at once.") }
      }
      source.resume()
      return source
    }
  }

  /// Whether a signal arrived.
  var requested: Bool { flag.value.load(ordering: .relaxed) }
}
