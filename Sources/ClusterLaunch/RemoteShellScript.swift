/// A script between mpirun and the remote shell that says whose shell has ended: mpirun itself does not name
/// the host when it loses one that way.
package enum RemoteShellScript {
  private static let beginning = "remote shell to "

  /// The script's text; mpirun starts it as `sh FILE [-l USER] HOST COMMAND`.
  ///
  /// - Parameter shell: the remote shell and its own arguments; `nil` for ssh.
  package static func text(_ shell: String?) -> String {
    // A host that is off or unknown is an error in seconds, not a question nobody answers.
    let shell = shell ?? "ssh -x -o BatchMode=yes -o ConnectTimeout=5"
    return """
      host=$1
      [ "$1" = -l ] && host=$3
      \(shell) "$@"
      code=$?
      [ $code = 0 ] || echo "\(beginning)$host ended with exit code $code" >&2
      exit $code

      """
  }

  /// The host and the exit code in a line that the script wrote; `nil` for other lines.
  package static func ended(_ line: String) -> (host: String, code: String)? {
    guard let match = line.firstMatch(of: /remote shell to (\S+) ended with exit code (\d+)$/) else {
      return nil
    }
    return (String(match.1), String(match.2))
  }
}
