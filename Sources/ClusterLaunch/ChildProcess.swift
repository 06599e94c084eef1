import Foundation
import InputErrors
import SafeFiles

/// A program in its own process group, with its output read line by line.
package struct ChildProcess: ~Copyable {
  package let process: pid_t
  private var streams: [Stream]

  /// A line of the output, without its newline.
  package struct Line {
    package let text: String
    package let isError: Bool
  }

  private struct Stream {
    let descriptor: Int32
    let isError: Bool
    var rest: [UInt8] = []
    var isOpen = true
  }

  /// Starts a program without input. Signals that this process ignores are reset to their defaults.
  package init(_ command: [String], environment: [String: String]) throws(Refusal) {
    var pipes: [[Int32]] = []
    for _ in 0..<2 {
      var ends: [Int32] = [0, 0]
      guard pipe(&ends) == 0 else { throw Self.cannot("open a pipe", errno) }
      for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
      pipes.append(ends)
    }
    defer { for ends in pipes { close(ends[1]) } }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, pipes[0][1], STDOUT_FILENO)
    posix_spawn_file_actions_adddup2(&actions, pipes[1][1], STDERR_FILENO)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(
      &attributes,
      Int16(POSIX_SPAWN_SETPGROUP) | Int16(POSIX_SPAWN_SETSIGDEF) | Int16(POSIX_SPAWN_SETSIGMASK))
    var arguments = command.map { strdup($0) } + [nil]
    var variables = environment.map { strdup("\($0)=\($1)") } + [nil]
    defer { for word in arguments + variables { free(word) } }
    var process = pid_t()
    func spawn() -> Int32 {
      posix_spawn(&process, command[0], &actions, &attributes, &arguments, &variables)
    }
    var failure = spawn()
    // A program that was just written is busy while another thread's new process still has its descriptors.
    for _ in 0..<100 where failure == ETXTBSY {
      usleep(10_000)
      failure = spawn()
    }
    guard failure == 0 else {
      for ends in pipes { close(ends[0]) }
      throw Self.cannot("start \(command[0])", failure)
    }
    self.process = process
    streams = [
      Stream(descriptor: pipes[0][0], isError: false), Stream(descriptor: pipes[1][0], isError: true),
    ]
  }

  deinit { for stream in streams { close(stream.descriptor) } }

  /// Waits for output and returns the lines that are complete, those of standard output first.
  package mutating func lines(waiting milliseconds: Int32) -> [Line] {
    var polled = streams.map { stream in
      pollfd(fd: stream.isOpen ? stream.descriptor : -1, events: Int16(POLLIN), revents: 0)
    }
    poll(&polled, nfds_t(polled.count), milliseconds)
    var lines: [Line] = []
    for index in streams.indices where polled[index].revents != 0 {
      var chunk = [UInt8](repeating: 0, count: 65536)
      let count = read(streams[index].descriptor, &chunk, chunk.count)
      if count > 0 { streams[index].rest += chunk[..<count] } else { streams[index].isOpen = false }
      while let end = streams[index].rest.firstIndex(of: UInt8(ascii: "\n")) {
        lines.append(take(index, upTo: end))
        streams[index].rest.removeFirst()
      }
      if !streams[index].isOpen && !streams[index].rest.isEmpty {
        lines.append(take(index, upTo: streams[index].rest.endIndex))
      }
    }
    return lines
  }

  private mutating func take(_ index: Int, upTo end: Int) -> Line {
    let text = String(decoding: streams[index].rest[..<end], as: UTF8.self)
    streams[index].rest.removeFirst(end)
    return Line(text: text, isError: streams[index].isError)
  }

  /// The exit code, once the program has ended; 128 plus the signal's number if a signal ended it.
  package func exitCode() -> Int32? {
    var status: Int32 = 0
    guard waitpid(process, &status, WNOHANG) == process else { return nil }
    return status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F)
  }

  func signal(_ number: Int32) { kill(process, number) }

  private static func cannot(_ what: String, _ error: Int32) -> Refusal {
    Refusal("cannot \(what): \(SystemError.reason(error))", SystemError.remedy(error))
  }
}
