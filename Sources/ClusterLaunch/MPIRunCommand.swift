import InputErrors

/// The command that starts a job's ranks with Open MPI 4.
package struct MPIRunCommand: Sendable, Equatable {
  /// The machines.
  package let hosts: Hosts
  /// The number of ranks to start.
  package let ranks: Int
  /// The program and its arguments. The program has the same path on every host.
  package let program: [String]
  /// Environment variables that are passed on to ranks on other hosts.
  package var variables: [String] = []

  /// - Throws: `Refusal` if the hosts do not have enough slots.
  package init(hosts: Hosts, ranks: Int, program: [String]) throws(Refusal) {
    precondition(ranks > 0 && !program.isEmpty, "nothing to start")
    guard ranks <= hosts.slots else {
      throw Refusal(
        "\(ranks) ranks do not fit the \(hosts.slots) slots of the hosts file",
        "add hosts or slots, or start fewer ranks")
    }
    (self.hosts, self.ranks, self.program) = (hosts, ranks, program)
  }

  /// The lines of mpirun's host file.
  package var hostFile: String {
    hosts.hosts.map { host in
      "\(host.address) slots=\(host.slots)" + (host.user.map { " username=\($0)" } ?? "") + "\n"
    }.joined()
  }

  /// The arguments of `mpirun`.
  ///
  /// - Parameters:
  ///   - hostFile: the path of a file with the text of `hostFile`.
  ///   - shellScript: the path of a file with the text of `RemoteShellScript`; `nil` for none.
  package func arguments(hostFile: String, shellScript: String? = nil) -> [String] {
    // If bound to cores, the ranks of two hosts that share a machine would all run on core 0.
    var arguments = ["-np", "\(ranks)", "--hostfile", hostFile, "--map-by", "slot", "--bind-to", "none"]
    var parameters = parameters
    if let shellScript {
      parameters.removeAll { $0.name.hasPrefix("plm_rsh_") }
      // The script is on this machine only, so other hosts must not start further daemons.
      parameters += [("plm_rsh_agent", "/bin/sh \(shellScript)"), ("plm_rsh_no_tree_spawn", "1")]
    }
    for (name, value) in parameters { arguments += ["--mca", name, value] }
    for variable in variables { arguments += ["-x", variable] }
    return arguments + program
  }

  /// Open MPI's settings. A job started by hand or by `srun` takes them from the environment, each as
  /// `OMPI_MCA_NAME=VALUE`.
  package var parameters: [(name: String, value: String)] {
    var parameters = [("pml", "ob1")]
    guard let network = hosts.network else {
      // One machine: shared memory. Copying from process to process needs a privilege that containers lack;
      // with more fragments in flight, a pause between two polls costs less.
      parameters += [
        ("btl", "vader,self"), ("btl_vader_single_copy_mechanism", "none"),
        ("pml_ob1_send_pipeline_depth", "32"),
      ]
      return parameters.map { (name: $0.0, value: $0.1) }
    }
    parameters += [
      ("btl", "tcp,self"), ("btl_tcp_if_include", network), ("oob_tcp_if_include", network),
      // Open MPI would truncate a host name at its first dot.
      ("orte_keep_fqdn_hostnames", "1"),
      // Sends only: with puts, the two directions of a socket take turns.
      ("btl_tcp_flags", "1"),
      ("btl_tcp_sndbuf", "131072"), ("btl_tcp_rcvbuf", "131072"),
      // A cut link is detected after 3 + 3 · 1 s instead of never.
      ("oob_tcp_keepalive_time", "3"), ("oob_tcp_keepalive_intvl", "1"), ("oob_tcp_keepalive_probes", "3"),
    ]
    parameters +=
      hosts.remoteShell.map { [("plm_rsh_agent", $0)] }
      // A host that is off or unknown is an error within seconds instead of a prompt.
      ?? [("plm_rsh_agent", "ssh"), ("plm_rsh_args", "-o BatchMode=yes -o ConnectTimeout=5")]
    return parameters.map { (name: $0.0, value: $0.1) }
  }
}
