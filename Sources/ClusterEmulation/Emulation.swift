import ClusterLaunch
import Foundation
import InputErrors
import SafeFiles
import Transport

/// An emulated cluster that has been set up. Its creator must stop it.
package final class Emulation: Sendable {
  /// How it is emulated.
  package let plan: EmulationPlan
  /// The path of the hosts file.
  package let hostsFile: String
  /// The path of the table of links; `nil` if the transport has nothing to emulate.
  package let linksFile: String?
  /// The path of a script that starts a command on a host, as `sh AGENT HOST COMMAND`; `nil` if hosts are not
  /// namespaces.
  package let agent: String?
  private let machine: Machine
  private let claim: Claim

  /// The environment variable that names the hosts file.
  package static let hostsVariable = "CONTEXTURE_HOSTS"

  /// The environment variables that programs in the emulation get in addition to those of this process.
  package var variables: [String: String] {
    var variables = [EmulationNames.variable: plan.names.emulation, Self.hostsVariable: hostsFile]
    variables[LinkTable.variable] = linksFile
    return variables
  }

  /// The prefix of all names of this emulation.
  package var name: String { plan.names.emulation }

  /// Sets up a cluster. If that fails or is cancelled, nothing is left of it.
  ///
  /// - Parameter isCancelled: called before every step.
  package init(
    _ cluster: EmulatedCluster, on machine: Machine, isCancelled: () -> Bool = { false }
  ) throws(Refusal) {
    self.machine = machine
    // Two emulations that start at once would find the same network free.
    let turn = try Claim(folder: machine.root)
    defer { turn.release() }
    // Also needed because an earlier process may have had this one's ID.
    try machine.removeLeftovers(taken: turn)
    let names = EmulationNames(owner: getpid())
    claim = try Claim(file: machine.lock(names))
    let folder = machine.files(names)
    hostsFile = "\(folder)/hosts.yaml"
    do throws(Refusal) {
      let features = machine.features()
      let subnet =
        features.namespaceObstacle == nil
        ? try machine.subnet(for: cluster) : Subnet.defaults.first(where: { _ in true })
      guard let subnet else { throw Refusal("subnet", "there is none", "give one in the file") }
      plan = EmulationPlan(cluster, on: features, subnet: subnet, owner: getpid())
      agent = plan.usesNamespaces ? "\(folder)/agent" : nil
      let links: String?
      do { links = try plan.linksFile() } catch {
        throw Refusal("links.json", "\(error)", "please report it")
      }
      linksFile = links == nil ? nil : "\(folder)/links.json"
      try machine.perform(.makeFolder(folder))
      var passed = [EmulationNames.variable: names.emulation, Self.hostsVariable: hostsFile]
      passed[LinkTable.variable] = linksFile
      let files = [
        (hostsFile, plan.hostsFile(agent: agent ?? "")), (agent, plan.agent(variables: passed)),
        (linksFile, links ?? ""),
      ]
      for (path, text) in files {
        guard let path else { continue }
        do { try AtomicFile.write(text, to: URL(fileURLWithPath: path)) } catch {
          let error = SystemError.describe(error, path: path, action: "write the file")
          throw Refusal(path, error.problem, error.remedy)
        }
      }
      for step in plan.setUp {
        if isCancelled() { throw Refusal(names.emulation, "was cancelled", "start it again") }
        try machine.perform(step)
      }
    } catch {
      try? machine.remove(names)
      claim.release()
      machine.removeRoot()
      throw error
    }
  }

  /// Ends the processes that still run in it, and takes it down.
  package func stop() throws(Refusal) {
    defer {
      claim.release()
      machine.removeRoot()
    }
    try machine.remove(plan.names)
  }
}
