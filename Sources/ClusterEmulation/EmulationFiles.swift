import Foundation
import Transport

/// The texts of the files that a program needs to use an emulated cluster.
extension EmulationPlan {
  /// The hosts file, in the format that `ClusterLaunch` reads.
  ///
  /// - Parameter agent: the path of the file with the text of `agent`.
  package func hostsFile(agent: String) -> String {
    guard let subnet else {
      return "hosts:\n  - {name: localhost, slots: \(cluster.hosts.count)}\n"
    }
    let hosts = cluster.hosts.enumerated().map { index, host in
      "  - {name: '\(host.name)', address: \(subnet.address(index))}\n"
    }
    // Run by sh, because the folder may be mounted without permission to execute programs.
    return "hosts:\n\(hosts.joined())network: \(subnet)\nremoteShell: /bin/sh \(agent)\n"
  }

  /// A script that starts a command on a host, like ssh: `sh AGENT HOST COMMAND`. HOST is a name or an
  /// address.
  ///
  /// - Parameter variables: exported to the command's environment.
  package func agent(variables: [String: String]) -> String {
    guard let subnet else { return "" }
    let cases = cluster.hosts.enumerated().map { index, host in
      "  '\(host.name)' | \(subnet.address(index))) name='\(host.name)' "
        + "groups='\(groups(of: host).joined(separator: " "))' ;;\n"
    }
    let exports = variables.sorted { $0.key < $1.key }.map { "export \($0)='\($1)'\n" }
    return """
      #!/bin/sh
      # Starts a command on a host of the emulated cluster \(names.emulation): sh FILE HOST COMMAND...
      host=$1
      shift
      case $host in
      \(cases.joined())  *) echo "no host '$host' in \(names.emulation)" >&2; exit 1 ;;
      esac
      for group in $groups; do
        echo $$ > "$group/cgroup.procs" || exit 1
      done
      \(exports.joined())exec nsenter --net=/run/netns/\(names.emulation)-"$name" unshare --uts \\
        sh -c 'hostname "$1"; shift; exec sh -c "$*"' sh "$name" "$@"

      """
  }

  /// The table of links as JSON; `nil` if there is none.
  func linksFile() throws -> String? {
    guard let linkTable else { return nil }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    return String(decoding: try encoder.encode(linkTable), as: UTF8.self) + "\n"
  }
}
