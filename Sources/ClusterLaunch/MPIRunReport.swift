import Transport

/// Why a job ended early.
package struct JobFailure: Error, Sendable, Equatable, CustomStringConvertible {
  /// The rank that died or gave up; `nil` if no single one is known.
  package let rank: Int?
  /// The rank to blame: the one that died, or the one that another rank missed; `nil` if none is known.
  package let suspect: Int?
  /// The name of the host that `rank` ran on, or of the host that was lost.
  package let host: String?
  /// What happened, in one line.
  package let reason: String
  /// The exit code of mpirun.
  package let exitCode: Int32

  package init(
    rank: Int? = nil, suspect: Int? = nil, host: String? = nil, reason: String, exitCode: Int32
  ) {
    (self.rank, self.suspect, self.host, self.reason) = (rank, suspect, host, reason)
    self.exitCode = exitCode
  }

  package var description: String {
    let place = host.map { " on host '\($0)'" } ?? ""
    return (rank.map { "rank \($0)\(place): " } ?? host.map { "host '\($0)': " } ?? "") + reason
  }
}

/// Separates the output of the ranks from that of Open MPI's mpirun, and finds the cause of a failure in the
/// latter.
package struct MPIRunReport {
  private enum Cause {
    case rank(Int, suspect: Int, String)
    case host(String, String)
  }

  package init() {}

  private var cause: Cause?
  /// The rank that called `MPI_Abort`; its own message may come after mpirun's.
  private var aborted: Int?
  /// The first host whose remote shell ended with an error. This is the reason if nothing else is known, and
  /// a consequence otherwise.
  private var unreached: (host: String, code: String)?
  /// The lines about the job that have been read.
  private var details: [String] = []
  private var isInBlock = false
  /// The rank that the preceding lines named.
  private var named: Int?

  /// mpirun's messages are enclosed in lines of dashes.
  private static let dashes = String(repeating: "-", count: 60)

  /// `[host:process] …`, `[host][[job,1],rank]…`, `mpirun.openmpi: …`.
  private static var ownLine: Regex<(Substring, Substring)> { /^(\[[^\[\]\s]+\](?: |\[\[)|mpirun\S*: )/ }

  /// Whether a line has reported a failure that will end the job.
  package var hasFailed: Bool { cause != nil || aborted != nil }

  /// Reads a line of output. Returns whether it was about the job, not printed by a rank.
  package mutating func take(_ line: String, isError: Bool) -> Bool {
    guard isError else { return false }
    if let notice = AbortNotice(line: line) {
      found(.rank(notice.rank, suspect: notice.suspect ?? notice.rank, notice.message))
    } else if let end = RemoteShellScript.ended(line) {
      unreached = unreached ?? end
    } else if line.contains(Self.dashes) {
      isInBlock.toggle()
      return true
    } else if isInBlock || line.firstMatch(of: Self.ownLine) != nil {
      read(line)
    } else {
      return false
    }
    details.append(line)
    return true
  }

  /// Why the job failed. The first cause reported counts; what follows are its consequences.
  package func failure(exitCode: Int32, hosts: Hosts) -> JobFailure {
    let shell = unreached.map {
      Cause.host(
        $0.host,
        "the remote shell to it ended with exit code \($0.code); check that it is on, and that a remote "
          + "shell reaches it without a password")
    }
    switch cause ?? aborted.map({ .rank($0, suspect: $0, "ended the job") }) ?? shell {
    case .rank(let rank, let suspect, let reason):
      let host = rank < hosts.slots ? hosts.host(ofRank: rank).name : nil
      return JobFailure(rank: rank, suspect: suspect, host: host, reason: reason, exitCode: exitCode)
    case .host(let address, let reason):
      let host = hosts.hosts.first { $0.address == address }?.name ?? address
      return JobFailure(host: host, reason: reason, exitCode: exitCode)
    case nil:
      return JobFailure(reason: reason(exitCode), exitCode: exitCode)
    }
  }

  /// The reason if nothing names a rank or a host.
  private func reason(_ exitCode: Int32) -> String {
    guard !details.isEmpty, !details.contains(where: { $0.hasPrefix("Primary job  terminated normally") })
    else {
      return exitCode > 128
        ? "a rank was killed by signal \(exitCode - 128) before it joined the job"
        : "a rank ended with exit code \(exitCode)"
    }
    // The first paragraph of mpirun's message, and the second if the first announces it.
    let paragraphs = details.split(separator: "").map { lines in
      lines.map { $0.split(separator: " ").joined(separator: " ") }.joined(separator: " ")
    }
    let said = paragraphs.first.map { $0.hasSuffix(":") ? paragraphs.prefix(2).joined(separator: " ") : $0 }
    return "mpirun ended with exit code \(exitCode): \(said ?? "")"
  }

  private mutating func found(_ new: Cause) { cause = cause ?? new }

  private mutating func read(_ line: String) {
    if let match = line.firstMatch(of: /process rank (\d+) with PID \d+ on node \S+ exited on (signal .*)/),
      let rank = Int(match.1)
    {
      let signal = match.2.hasSuffix(".") ? match.2.dropLast() : match.2
      // After an abort, mpirun itself kills the others.
      if aborted == nil { found(.rank(rank, suspect: rank, "was killed by \(signal)")) }
    } else if let match = line.firstMatch(of: /Process name: \[\[\d+,\d+\],(\d+)\]/) {
      named = Int(match.1)
    } else if let rank = named, let match = line.firstMatch(of: /Exit code: +(\d+)/) {
      found(.rank(rank, suspect: rank, "ended with exit code \(match.1)"))
    } else if let match = line.firstMatch(of: /Remote daemon: \S+ on node (\S+)/) {
      found(.host(String(match.1), "the connection to it was lost"))
    } else if let match = line.firstMatch(of: /MPI_ABORT was invoked on rank (\d+)/) {
      aborted = aborted ?? Int(match.1)
    }
  }
}
