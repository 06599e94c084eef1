import Dispatch
import Foundation
import Glibc
import InputErrors
import SafeFiles
import Synchronization

/// Receives Ctrl-C and SIGTERM on behalf of a command that this process runs and cleans up after.
final class ForwardedSignals {
  private let received: Received
  private let sources: [any DispatchSourceSignal]

  private final class Received: Sendable {
    let last = Atomic<Int32>(0)
    let process = Atomic<Int32>(0)
  }

  init() {
    let received = Received()
    self.received = received
    sources = [SIGINT, SIGTERM, SIGHUP].map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler {
        received.last.store(number, ordering: .sequentiallyConsistent)
        let process = received.process.load(ordering: .sequentiallyConsistent)
        // At a terminal, Ctrl-C reaches the command by itself.
        let isTerminals = number == SIGINT && tcgetpgrp(STDIN_FILENO) == getpgrp()
        if process > 0 && !isTerminals { kill(process, number) }
      }
      source.resume()
      return source
    }
  }

  /// The most recent signal; `nil` before any.
  var last: Int32? {
    let number = received.last.load(ordering: .sequentiallyConsistent)
    return number == 0 ? nil : number
  }

  /// Runs a program with this process's input and output, and forwards signals to it.
  ///
  /// If this process is killed, the program receives SIGTERM. If the program does not end on request, it is
  /// killed after 10 s.
  ///
  /// - Returns: its exit code, or 128 plus the signal's number if a signal ended it.
  func run(_ command: [String], environment: [String: String]) throws -> Int32 {
    if let last { return 128 + last }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF) | Int16(POSIX_SPAWN_SETSIGMASK))
    let setpriv = "/usr/bin/setpriv"
    let all = access(setpriv, X_OK) == 0 ? [setpriv, "--pdeathsig", "TERM", "--"] + command : command
    var arguments = all.map { strdup($0) } + [nil]
    var variables = environment.map { strdup("\($0)=\($1)") } + [nil]
    defer { for word in arguments + variables { free(word) } }
    var process = pid_t()
    let failure = posix_spawn(&process, all[0], nil, &attributes, &arguments, &variables)
    guard failure == 0 else {
      throw Refusal(
        command[0], "cannot be started: \(SystemError.reason(failure))",
        failure == ENOEXEC ? "check that it is a program for this machine" : SystemError.remedy(failure))
    }
    received.process.store(process, ordering: .sequentiallyConsistent)
    defer { received.process.store(0, ordering: .sequentiallyConsistent) }
    // A signal may have arrived between the check above and now.
    if let last { kill(process, last) }
    var deadline: ContinuousClock.Instant?
    var status: Int32 = 0
    while waitpid(process, &status, WNOHANG) != process {
      if let last, last != SIGINT, deadline == nil { deadline = .now + .seconds(10) }
      if let end = deadline, end < .now { kill(process, SIGKILL) }
      usleep(10_000)
    }
    return status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F)
  }
}
