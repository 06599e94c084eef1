import Foundation
import Transport

/// The files that a program needs to use an emulated cluster, as texts.
extension EmulationPlan {
  /// The hosts file, as `ClusterLaunch` reads it.
  ///
  /// - Parameter agent: where the text of `agent` lies.
  package func hostsFile(agent: String) -> String {
    guard let subnet else {
      return "hosts:\n  - {name: localhost, slots: \(cluster.hosts.count)}\n"
    }
    let hosts = cluster.hosts.enumerated().map { index, host in
      "  - {name: '\(host.name)', address: \(subnet.address(index))}\n"
    }
    // By way of sh, because the folder may forbid programs.
    return "hosts:\n\(hosts.joined())network: \(subnet)\nremoteShell: /bin/sh \(agent)\n"
  }

  /// A script that starts a command on a host: `sh AGENT HOST COMMAND`, as ssh would. HOST is a name or an
  /// address.
  ///
  /// - Parameter variables: what the command finds in its environment.
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

  /// The table of links as JSON; `nil` where there is none.
  func linksFile() throws -> String? {
    guard let linkTable else { return nil }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    return String(decoding: try encoder.encode(linkTable), as: UTF8.self) + "\n"
  }
}
