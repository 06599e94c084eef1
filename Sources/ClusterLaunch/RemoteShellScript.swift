/// A wrapper script around the remote shell that reports the host of a shell that failed: mpirun itself does
/// not name a host that it loses that way.
package enum RemoteShellScript {
  private static let beginning = "remote shell to "

  /// The script's text; mpirun runs it as `sh FILE [-l USER] HOST COMMAND`.
  ///
  /// - Parameter shell: the remote shell with its own arguments; `nil` for ssh.
  package static func text(_ shell: String?) -> String {
    // A host that is off or unknown is an error within seconds instead of a prompt.
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

  /// The host and the exit code in a line written by the script; `nil` for other lines.
  package static func ended(_ line: String) -> (host: String, code: String)? {
    guard let match = line.firstMatch(of: /remote shell to (\S+) ended with exit code (\d+)$/) else {
      return nil
    }
    return (String(match.1), String(match.2))
  }
}
