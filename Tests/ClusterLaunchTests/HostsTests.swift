import ClusterLaunch
import InputErrors
import StrictYAML
import Testing

@Suite struct HostsTests {
  private let three = """
    hosts:
      - {name: orin, address: 10.0.0.1, slots: 2, user: ubuntu}
      - {name: nano, address: 10.0.0.6}
      - {name: xavier.lan}
    network: wlan0
    """

  @Test func everyFieldIsRead() throws {
    let hosts = try Hosts(yaml: three, file: "hosts.yaml")
    #expect(hosts.hosts.map(\.name) == ["orin", "nano", "xavier.lan"])
    #expect(hosts.hosts.map(\.address) == ["10.0.0.1", "10.0.0.6", "xavier.lan"])
    #expect(hosts.hosts.map(\.slots) == [2, 1, 1])
    #expect(hosts.hosts.map(\.user) == ["ubuntu", nil, nil])
    #expect(hosts.network == "wlan0")
    #expect(hosts.slots == 4)
    #expect((0..<4).map { hosts.host(ofRank: $0).name } == ["orin", "orin", "nano", "xavier.lan"])
  }

  @Test(arguments: [
    (["10.0.0.1", "10.0.0.6"], "10.0.0.0/29"), (["10.0.0.1", "10.0.255.1"], "10.0.0.0/16"),
    (["192.168.7.200", "192.168.7.201", "192.168.7.9"], "192.168.7.0/24"),
  ]) func theSmallestNetworkIsFound(addresses: [String], network: String) throws {
    let list = addresses.enumerated().map { "{name: h\($0), address: \($1)}" }.joined(separator: ", ")
    #expect(try Hosts(yaml: "hosts: [\(list)]", file: "h").network == network)
  }

  @Test(arguments: [
    ["10.1.2.3", "192.168.7.9"], ["10.1.2.3", "10.2.2.3"], ["172.31.0.1", "172.32.0.1"],
    ["192.168.0.1", "192.169.0.1"], ["10.0.0.1", "11.0.0.1"],
  ]) func networksThatAreNotSharedAreNotInvented(addresses: [String]) throws {
    let list = addresses.enumerated().map { "{name: h\($0), address: \($1)}" }.joined(separator: ", ")
    let error = #expect(throws: FieldError.self) { try Hosts(yaml: "hosts: [\(list)]", file: "h") }
    #expect(
      error?.description == """
        h:1: field 'network': is missing, and \(addresses[0]) and \(addresses[1]) share none of 16 bits or more; \
        give an interface's name, or a network as in 10.0.0.0/24
        """)
    let given = "{network: eth0, hosts: [\(list)]}"
    #expect(try Hosts(yaml: given, file: "h").network == "eth0")
    let places = addresses.map { place($0, $0) }
    #expect(throws: Refusal.self) { try Hosts.holding(places) }
    #expect(try Hosts.holding(places, network: "10.0.0.0/8").hosts.network == "10.0.0.0/8")
  }

  @Test(arguments: ["10.0.0.0", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/", "a/8", "10.0.0.0/-1", "/"])
  func networksThatAreNone(network: String) {
    let yaml = "{network: \(network), hosts: [{name: a}]}"
    let error = #expect(throws: FieldError.self) { try Hosts(yaml: yaml, file: "h") }
    #expect(error?.description.contains("'\(network)' is not a network") == true)
    #expect(throws: Refusal.self) { try Hosts.holding([place("a", "a")], network: network) }
  }

  private func place(_ name: String, _ address: String, user: String? = nil) -> Hosts.Place {
    Hosts.Place(name: name, address: address, user: user)
  }

  @Test func placesOfOneAddressShareAMachine() throws {
    let (hosts, order) = try Hosts.holding(
      [place("orin", "10.0.0.1", user: "u"), place("nano-1", "10.0.0.2"), place("nano-2", "10.0.0.2")])
    #expect(hosts.hosts.map(\.name) == ["orin", "10.0.0.2"])
    #expect(hosts.hosts.map(\.slots) == [1, 2] && hosts.hosts[0].user == "u")
    #expect(hosts.network == "10.0.0.0/30" && order == [0, 1, 2])
  }

  @Test func ranksFollowTheMachinesWherePlacesAreMixed() throws {
    let (hosts, order) = try Hosts.holding(
      [place("a-1", "a"), place("b", "b"), place("a-2", "a")], network: "eth0", remoteShell: "rsh")
    #expect(order == [0, 2, 1] && hosts.remoteShell == "rsh")
    #expect((0..<3).map { hosts.host(ofRank: $0).address } == ["a", "a", "b"])
  }

  @Test func placesThatCannotBeStarted() {
    #expect(throws: Refusal.self) { try Hosts.holding([]) }
    #expect(throws: Refusal.self) { try Hosts.holding([place("a", "a b")]) }
    #expect(throws: Refusal.self) { try Hosts.holding([place("a", "a"), place("b", "b")]) }
    #expect(throws: Refusal.self) { try Hosts.holding([place("a", "a")], network: "-x") }
    #expect(throws: Refusal.self) { try Hosts([Hosts.Host(name: "a"), Hosts.Host(name: "a")]) }
  }

  @Test func oneMachineAloneNeedsNoNetwork() throws {
    #expect(try Hosts(yaml: "hosts: [{name: localhost, slots: 4}]", file: "h").network == nil)
  }

  @Test(arguments: [
    ("", "h.yaml:1: field 'hosts': is missing; write a list, as in hosts: [{name: a, address: 10.0.0.1}]"),
    (
      "hosts: []",
      "h.yaml:1: field 'hosts': is empty; write a list, as in hosts: [{name: a, address: 10.0.0.1}]"
    ),
    (
      "hosts: [{adress: a}]",
      "h.yaml:1: field 'hosts.0.adress': not a known field; did you mean 'hosts.0.address'?"
    ),
    (
      "hosts: [{name: a, slots: 0}]",
      "h.yaml:1: field 'hosts.0.slots': 0 is outside 1...1024; use a whole number in that range"
    ),
    (
      "hosts: [{name: a b}]",
      "h.yaml:1: field 'hosts.0.name': 'a b' is not a plain word; use letters, digits, '.', '-' and '_'"
    ),
    (
      "hosts: [{name: a, user: -x}]",
      "h.yaml:1: field 'hosts.0.user': '-x' is not a plain word; use letters, digits, '.', '-' and '_'"
    ),
    (
      "hosts: [{name: a}, {name: b, address: a}]",
      "h.yaml:1: field 'hosts.1': is the same as host 'a'; list a host once and give it more slots"
    ),
    (
      "hosts: [{name: a}, {name: b}]",
      "h.yaml:1: field 'network': is missing, and not every address is an IPv4 address; give an interface's name, or a network as in 10.0.0.0/24"
    ),
  ]) func badFilesAreRefused(yaml: String, message: String) {
    let error = #expect(throws: FieldError.self) { try Hosts(yaml: yaml, file: "h.yaml") }
    #expect(error?.description == message)
  }

  @Test func aFileThatIsNotThere() {
    let error = #expect(throws: FieldError.self) { try Hosts(contentsOf: "/no/hosts.yaml") }
    #expect(error?.description == "/no/hosts.yaml: there is no such file; check the path")
  }
}

@Suite struct MPIRunCommandTests {
  @Test func severalHostsUseTCPOverOneNetwork() throws {
    let hosts = try Hosts(
      yaml: """
        hosts:
          - {name: a, address: 10.0.0.1, slots: 2, user: me}
          - {name: b, address: 10.0.0.2}
        """, file: "h")
    var command = try MPIRunCommand(hosts: hosts, ranks: 3, program: ["/bin/contexture", "train"])
    command.variables = ["X"]
    #expect(command.hostFile == "10.0.0.1 slots=2 username=me\n10.0.0.2 slots=1\n")
    #expect(
      command.arguments(hostFile: "F").joined(separator: " ") == """
        -np 3 --hostfile F --map-by slot --bind-to none --mca pml ob1 --mca btl tcp,self \
        --mca btl_tcp_if_include 10.0.0.0/30 --mca oob_tcp_if_include 10.0.0.0/30 \
        --mca orte_keep_fqdn_hostnames 1 --mca btl_tcp_flags 1 \
        --mca btl_tcp_sndbuf 131072 --mca btl_tcp_rcvbuf 131072 \
        --mca oob_tcp_keepalive_time 3 --mca oob_tcp_keepalive_intvl 1 --mca oob_tcp_keepalive_probes 3 \
        --mca plm_rsh_agent ssh --mca plm_rsh_args -o BatchMode=yes -o ConnectTimeout=5 \
        -x X /bin/contexture train
        """)
  }

  @Test func oneHostUsesSharedMemory() throws {
    let hosts = try Hosts(yaml: "hosts: [{name: localhost, slots: 2}]", file: "h")
    let parameters = try MPIRunCommand(hosts: hosts, ranks: 2, program: ["x"]).parameters
    #expect(parameters.contains { $0 == ("btl", "vader,self") })
    #expect(!parameters.contains { $0.name.contains("tcp") })
  }

  @Test func anotherRemoteShellTakesTheSSHOptionsAway() throws {
    let hosts = try Hosts(
      yaml: "{remoteShell: /bin/enter, hosts: [{name: a, address: 10.0.0.1}, {name: b, address: 10.0.0.2}]}",
      file: "h")
    let parameters = try MPIRunCommand(hosts: hosts, ranks: 2, program: ["x"]).parameters
    #expect(parameters.contains { $0 == ("plm_rsh_agent", "/bin/enter") })
    #expect(!parameters.contains { $0.name == "plm_rsh_args" })
  }

  @Test func tooManyRanksAreRefused() throws {
    let hosts = try Hosts(yaml: "hosts: [{name: localhost, slots: 2}]", file: "h")
    let error = #expect(throws: Refusal.self) {
      try MPIRunCommand(hosts: hosts, ranks: 3, program: ["x"])
    }
    #expect(
      error?.description
        == "3 ranks do not fit the 2 slots of the hosts file; add hosts or slots, or start fewer ranks")
  }
}
